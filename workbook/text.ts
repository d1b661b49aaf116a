/**
 * The two languages of the workbook.
 *
 * Every sentence a person reads is a {@linkcode Text}: both languages stand side by side where the
 * sentence is made, so the compiler refuses one that lacks a translation.
 *
 * @module
 */

/** The languages, in the order in which they are offered. */
export const LANGUAGES = ["en", "ko"] as const;

/** One of the languages. */
export type Lang = (typeof LANGUAGES)[number];

/** One sentence in every language. */
export type Text = Record<Lang, string>;

/** A sentence that reads the same in every language: a value, an address, a piece of code. */
export function same(text: string): Text {
  return { en: text, ko: text };
}

/** Joins sentences, language by language. */
export function join(parts: Text[], separator = ""): Text {
  return {
    en: parts.map((part) => part.en).join(separator),
    ko: parts.map((part) => part.ko).join(separator),
  };
}

/** Whether `value` names a language. */
export function isLang(value: unknown): value is Lang {
  return LANGUAGES.includes(value as Lang);
}

/** The language asked for by the environment (`LC_ALL`, `LC_MESSAGES`, `LANG`, in POSIX order), else English. */
export function langOfEnvironment(get: (name: string) => string | undefined): Lang {
  const locale = get("LC_ALL") || get("LC_MESSAGES") || get("LANG") || "";
  const lang = locale.slice(0, 2).toLowerCase();
  return isLang(lang) ? lang : "en";
}
