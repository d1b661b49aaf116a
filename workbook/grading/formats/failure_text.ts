/**
 * What one test says about why it did not pass.
 *
 * @module
 */

import type { TestResult } from "../../result.ts";
import type { Lang } from "../../text.ts";
import { clean } from "./common.ts";

/** The message, the steps on the wire and the likely mistake, in lines; empty if the test passed. */
export function failureText(test: TestResult, lang: Lang): string {
  if (test.status === "pass") return "";
  const steps = (test.transcript ?? []).map(({ step, who, event, detail }) =>
    `${step}  ${who}  ${event}  ${detail}`.trimEnd()
  );
  const likely = lang === "ko" ? "의심" : "Likely";
  const mistake = test.mistake ? [`${likely}: ${test.mistake}. ${test.mistake_line ?? ""}`] : [];
  return clean([test.message ?? "", ...steps, ...mistake].join("\n")).trim();
}
