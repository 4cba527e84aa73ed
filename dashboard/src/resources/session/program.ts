// What a session's program calls itself, as people know it.

/** The first that matches counts: most browsers also claim to be others. */
const programs: [RegExp, string][] = [
  [/Edg\w*\/(\d+)/, 'Edge'],
  [/OPR\/(\d+)/, 'Opera'],
  [/Firefox\/(\d+)/, 'Firefox'],
  [/Chrom\w*\/(\d+)/, 'Chrome'],
  [/Version\/(\d+)[\d.]* (?:Mobile\/\w+ )?Safari/, 'Safari'],
];

const systems: [RegExp, string][] = [
  [/Android/, 'Android'],
  [/iPhone|iPad/, 'iOS'],
  [/Windows/, 'Windows'],
  [/Mac OS X/, 'macOS'],
  [/CrOS/, 'ChromeOS'],
  [/Linux/, 'Linux'],
];

/** `Firefox 140 on Linux`; what is no known browser is shown as it calls itself. */
export function programWords(text: string): string {
  for (const [pattern, name] of programs) {
    const found = pattern.exec(text);
    if (!found) continue;
    const system = systems.find(([mark]) => mark.test(text))?.[1];
    return `${name} ${found[1]}${system ? ` on ${system}` : ''}`;
  }
  return text;
}
