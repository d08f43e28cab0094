// Builds and shows a file's tree with the code of Valgrind's viewer, dh_view.js: node read_dhat.mjs DH_VIEW FILE.
// Prints {root: {total, peak, end}, text}: the root's bytes, and the page's text.
import fs from 'node:fs'
import vm from 'node:vm'

const [viewer, file] = process.argv.slice(2)

class Element {
  constructor() { this.childNodes = []; this.classList = { add() {}, remove() {}, contains: () => false, toggle() {} } }
  appendChild(child) { this.childNodes.push(child); return child }
  removeChild(child) { this.childNodes = this.childNodes.filter(other => other !== child) }
  set textContent(text) { shown.push(text) }
  get firstChild() { return this.childNodes[0] }
  get lastChild() { return this.childNodes.at(-1) }
  get selectedIndex() { return Math.max(0, this.childNodes.findIndex(option => option.selected)) }
  hasChildNodes() { return this.childNodes.length > 0 }
  cloneNode() { return new Element() }
  get parentNode() { return new Element() }
  replaceChild() {}
  setAttribute(name, value) { this[name] = value }
  addEventListener() {}
}

const shown = []
const page = {
  document: {
    body: new Element(), location: { search: '' },
    createElement: () => new Element(), createTextNode: text => { shown.push(text); return new Element() },
  },
  performance, URLSearchParams, console, data: fs.readFileSync(file, 'utf8'),
}
page.window = page
vm.createContext(page)
vm.runInContext(fs.readFileSync(viewer, 'utf8'), page)
const root = vm.runInContext(`
  onLoad()
  gData = JSON.parse(data)
  gFilename = 'trace'
  buildTree()
  displayTree(0, 0, 0)
  ;({ total: gRoot._totalBytes, blocks: gRoot._totalBlocks, peak: gRoot._atTGmaxBytes, end: gRoot._atTEndBytes })
`, page)
console.log(JSON.stringify({ root, text: shown.join('') }))
