import { assert, assertEquals } from "@std/assert";
import { isLang, join, langOfEnvironment, LANGUAGES, same } from "./text.ts";

const of = (env: Record<string, string>) => langOfEnvironment((name) => env[name]);

Deno.test("langOfEnvironment() follows the order of POSIX", () => {
  assertEquals(of({ LANG: "ko_KR.UTF-8" }), "ko");
  assertEquals(of({ LC_MESSAGES: "en_US.UTF-8", LANG: "ko_KR.UTF-8" }), "en");
  assertEquals(of({ LC_ALL: "ko", LC_MESSAGES: "en_US", LANG: "en_US" }), "ko");
});

Deno.test("langOfEnvironment() passes over a variable that is set to nothing", () => {
  assertEquals(of({ LC_ALL: "", LC_MESSAGES: "", LANG: "ko_KR" }), "ko");
});

Deno.test("langOfEnvironment() gives English for what it does not know", () => {
  for (const LANG of ["", "C", "C.UTF-8", "POSIX", "fr_FR.UTF-8", "k"]) {
    assertEquals(of({ LANG }), "en", LANG);
  }
  assertEquals(of({}), "en");
});

Deno.test("langOfEnvironment() does not mind capitals", () => {
  assertEquals(of({ LANG: "KO_KR" }), "ko");
});

Deno.test("isLang() knows the languages and nothing else", () => {
  for (const lang of LANGUAGES) assert(isLang(lang));
  for (const value of ["", "EN", "kor", undefined, null, 0, ["en"]]) assert(!isLang(value));
});

Deno.test("join() joins each language for itself", () => {
  const parts = [{ en: "one", ko: "하나" }, same("2")];
  assertEquals(join(parts, ", "), { en: "one, 2", ko: "하나, 2" });
  assertEquals(join(parts), { en: "one2", ko: "하나2" });
  assertEquals(join([]), { en: "", ko: "" });
});
