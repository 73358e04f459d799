/** Bundles the sidecar into dist/p2p.mjs and the licences of all that went in into dist/THIRD_PARTY_LICENSES.txt. */

import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { build } from 'esbuild'

const { metafile, outputFiles } = await build({
  entryPoints: ['src/main.ts'],
  outfile: 'dist/p2p.mjs',
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true, // errors of libp2p are told apart by name
  legalComments: 'none', // the licences are in the file beside it, complete
  metafile: true,
  write: false,
  banner: {
    // CommonJS packages in an ES module call require for Node's own modules
    js: "import { createRequire as isekCreateRequire } from 'node:module'; const require = isekCreateRequire(import.meta.url);"
  }
})

await mkdir('dist', { recursive: true })
for (const { path, contents } of outputFiles) {
  // whole, or not at all: somebody may be starting it
  await writeFile(`${path}.new`, contents)
  await rename(`${path}.new`, path)
}

const packages = [
  ...new Set(Object.keys(metafile.inputs).flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []))
].sort((one, other) => one.localeCompare(other, 'en'))
const texts = await Promise.all(packages.map(licenseOf))
await writeFile('dist/THIRD_PARTY_LICENSES.txt', texts.join(`\n${'-'.repeat(80)}\n\n`))

const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0)
console.log(`dist/p2p.mjs: ${(bytes / 1024).toFixed(0)} KiB from ${packages.length} packages`)

async function licenseOf(folder) {
  const { name, version, license } = JSON.parse(await readFile(`${folder}/package.json`, 'utf8'))
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file)).sort()
  const contents = await Promise.all(files.map((file) => readFile(`${folder}/${file}`, 'utf8')))
  return [`${name} ${version} (${license})\n`, ...contents].join('\n')
}
