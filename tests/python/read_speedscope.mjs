// Loads a file with the importer of speedscope's npm package, whose bundle is made for browsers: node read_speedscope.mjs BUNDLE FILE.
// Prints [{name, unit, total, self: {"function:line": weight}}], one entry for each profile.
import fs from 'node:fs'
import path from 'node:path'
import vm from 'node:vm'

const [bundle, file] = process.argv.slice(2)

// Whatever is asked of the page is there and does nothing.
const anything = new Proxy(function () {}, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => '' : key === 'length' ? 0 : anything),
  apply: () => anything,
  construct: () => anything,
  set: () => true,
})

// The bundle's parts offer their functions by name, through getters: this one is the importer's door.
let importer
const page = {
  anything,
  offered: (name, get) => { if (name === 'importProfileGroupFromText') importer = get },
  console: { log() {}, time() {}, timeEnd() {}, warn: console.error, error: console.error },
  performance, setTimeout, TextDecoder, TextEncoder, URL, atob,
}
page.window = page.self = page
for (const name of ['document', 'navigator', 'location', 'localStorage', 'history', 'matchMedia', 'addEventListener',
  'requestAnimationFrame', 'HTMLElement', 'HTMLCanvasElement', 'FontFace', 'fetch', 'Image']) page[name] = anything
vm.createContext(page)
vm.runInContext(`
  const define = Object.defineProperty
  Object.defineProperty = (target, name, what) => { if (what.get) offered(name, what.get); return define(target, name, what) }
`, page)
try {
  vm.runInContext(fs.readFileSync(bundle, 'utf8'), page)
} catch (error) {
  if (!importer) throw error // else it was the page that could not be shown
}
await new Promise(resolve => setTimeout(resolve, 0)) // the importer sets itself up in a promise

const group = await importer()(path.basename(file), fs.readFileSync(file, 'utf8'))
const profiles = group.profiles.map(profile => {
  const self = {}
  profile.forEachFrame(frame => { self[`${frame.name}:${frame.line ?? 0}`] = frame.getSelfWeight() })
  return { name: profile.getName(), unit: profile.getWeightUnit(), total: profile.getTotalWeight(), self }
})
console.log(JSON.stringify(profiles))
