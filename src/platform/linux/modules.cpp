// SPDX-License-Identifier: MIT
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "platform/prim.hpp"

#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
#include <dlfcn.h>
#endif

// Modules as ELF describes them. Nothing here allocates; the loader's lock is recursive.
namespace malloc_tracer::platform {

namespace {

using Dynamic = ElfW(Dyn);
using Symbol = ElfW(Sym);
using Relocation = ElfW(Rela);
using Header = ElfW(Phdr);

// Relocations that put the address of a symbol into a pointer.
#if defined(__x86_64__)
constexpr std::uint32_t kCallSlot = R_X86_64_JUMP_SLOT, kDataSlot = R_X86_64_GLOB_DAT,
                        kPointer = R_X86_64_64;
#elif defined(__aarch64__)
constexpr std::uint32_t kCallSlot = R_AARCH64_JUMP_SLOT, kDataSlot = R_AARCH64_GLOB_DAT,
                        kPointer = R_AARCH64_ABS64;
#else
#error "name this architecture's relocations"
#endif

std::uintptr_t page_start(std::uintptr_t address) noexcept { return address & ~(page_bytes() - 1); }

// glibc adds the base to the addresses in a dynamic section, unless that is read-only, and looks
// there whenever it looks for a name; musl does neither.
#ifdef __GLIBC__
constexpr bool kLoaderKeepsDynamic = true;
#else
constexpr bool kLoaderKeepsDynamic = false;
#endif

template <class T>
const T* located(const Module& module, std::uintptr_t address) noexcept {
  return reinterpret_cast<const T*>(module.dynamic_is_final ? address : module.base + address);
}

void read_dynamic(Module& module) noexcept {
  for (const auto* entry = static_cast<const Dynamic*>(module.dynamic); entry->d_tag != DT_NULL;
       entry++) {
    std::uintptr_t value = entry->d_un.d_ptr;
    switch (entry->d_tag) {
      case DT_SYMTAB:
        module.symbols = located<Symbol>(module, value);
        break;
      case DT_STRTAB:
        module.strings = located<char>(module, value);
        break;
      case DT_GNU_HASH:
        module.gnu_hash = located<std::uint32_t>(module, value);
        break;
      case DT_HASH:
        module.sysv_hash = located<std::uint32_t>(module, value);
        break;
      case DT_JMPREL:
        module.relocations[0] = located<Relocation>(module, value);
        break;
      case DT_PLTRELSZ:
        module.relocation_counts[0] = value / sizeof(Relocation);
        break;
      case DT_RELA:
        module.relocations[1] = located<Relocation>(module, value);
        break;
      case DT_RELASZ:
        module.relocation_counts[1] = value / sizeof(Relocation);
        break;
      default:
        break;
    }
  }
}

// False for what is no ordinary module.
bool read_module(const dl_phdr_info& info, Module& module) noexcept {
  module = Module{};
  module.base = info.dlpi_addr;
  module.loaded_count = info.dlpi_adds;
  module.unloaded_count = info.dlpi_subs;
  module.begin = ~std::uintptr_t{0};
  for (const Header* header = info.dlpi_phdr; header != info.dlpi_phdr + info.dlpi_phnum;
       header++) {
    std::uintptr_t begin = info.dlpi_addr + header->p_vaddr, end = begin + header->p_memsz;
    if (header->p_type == PT_LOAD) {
      module.begin = std::min(module.begin, begin);
      module.end = std::max(module.end, end);
    } else if (header->p_type == PT_DYNAMIC) {
      module.dynamic = reinterpret_cast<const void*>(begin);
      module.dynamic_is_final = kLoaderKeepsDynamic && (header->p_flags & PF_W) != 0;
    } else if (header->p_type == PT_GNU_RELRO) {
      module.read_only_begin = page_start(begin);
      module.read_only_end = page_start(end);
    }
  }
  bool loader = module.base != 0 && module.base == getauxval(AT_BASE);
  bool kernel = getauxval(AT_SYSINFO_EHDR) != 0 && module.contains(getauxval(AT_SYSINFO_EHDR));
  if (module.dynamic == nullptr || loader || kernel) return false;
  read_dynamic(module);
  return module.symbols != nullptr && module.strings != nullptr;
}

struct Visit {
  ModuleVisitor visit;
  void* cookie;
  bool first;
};

int visit_module(dl_phdr_info* info, std::size_t, void* data) {
  auto* visit = static_cast<Visit*>(data);
  Module module;
  bool ordinary = read_module(*info, module);
  module.first = visit->first;
  visit->first = false;
  return ordinary && !visit->visit(module, visit->cookie);
}

int read_counts(dl_phdr_info* info, std::size_t, void* data) {
  *static_cast<ModuleCounts*>(data) = ModuleCounts{info->dlpi_adds, info->dlpi_subs};
  return 1;
}

}  // namespace

void each_module(ModuleVisitor visit, void* cookie) noexcept {
  int saved = errno;
  Visit state{visit, cookie, true};
  dl_iterate_phdr(visit_module, &state);
  errno = saved;
}

ModuleCounts module_counts() noexcept {
  ModuleCounts counts{};
  dl_iterate_phdr(read_counts, &counts);
  return counts;
}

bool is_loaded_fully(const Module& module) noexcept {
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 35)
  // The loader makes a module known to the unwinder after relocating and protecting it, and before
  // its constructors run.
  dl_find_object found;
  return _dl_find_object(const_cast<void*>(module.dynamic), &found) == 0;
#else
  (void)module;
  return true;
#endif
}

namespace {

bool is_named(const Module& module, const Symbol& symbol, const char* name) noexcept {
  return symbol.st_shndx != SHN_UNDEF && ELF64_ST_TYPE(symbol.st_info) == STT_FUNC &&
         std::strcmp(module.strings + symbol.st_name, name) == 0;
}

// Layout: bucket count, index of the first symbol, size of the bloom filter, its shift; filter,
// buckets, chains. A chain's last entry is odd.
struct GnuHash {
  explicit GnuHash(const std::uint32_t* table) noexcept
      : bucket_count(table[0]),
        first(table[1]),
        buckets(table + 4 + table[2] * (sizeof(ElfW(Addr)) / sizeof(std::uint32_t))),
        chains(buckets + bucket_count) {}
  std::uint32_t bucket_count, first;
  const std::uint32_t* buckets;
  const std::uint32_t* chains;
};

// Visits the module's functions of that name, one for each version, until `visit` returns true.
template <class Visit>
void each_in_gnu_hash(const Module& module, const char* name, Visit visit) noexcept {
  const auto* symbols = static_cast<const Symbol*>(module.symbols);
  const GnuHash table(module.gnu_hash);
  std::uint32_t hash = 5381;
  for (const char* c = name; *c != '\0'; c++) hash = hash * 33 + static_cast<unsigned char>(*c);
  std::uint32_t index = table.bucket_count != 0 ? table.buckets[hash % table.bucket_count] : 0;
  if (index < table.first) return;
  for (;; index++) {
    std::uint32_t entry = table.chains[index - table.first];
    if ((entry | 1) == (hash | 1) && is_named(module, symbols[index], name) &&
        visit(symbols[index]))
      return;
    if ((entry & 1) != 0) return;
  }
}

// Layout: bucket count, chain count, buckets, chains.
template <class Visit>
void each_in_sysv_hash(const Module& module, const char* name, Visit visit) noexcept {
  const auto* symbols = static_cast<const Symbol*>(module.symbols);
  const std::uint32_t* table = module.sysv_hash;
  std::uint32_t hash = 0;
  for (const char* c = name; *c != '\0'; c++) {
    hash = (hash << 4) + static_cast<unsigned char>(*c);
    hash = (hash ^ ((hash & 0xf0000000) >> 24)) & 0x0fffffff;
  }
  if (table[0] == 0) return;
  const std::uint32_t* chains = table + 2 + table[0];
  for (std::uint32_t index = table[2 + hash % table[0]]; index != 0; index = chains[index]) {
    if (is_named(module, symbols[index], name) && visit(symbols[index])) return;
  }
}

template <class Visit>
void each_of_name(const Module& module, const char* name, Visit visit) noexcept {
  if (module.gnu_hash != nullptr) {
    each_in_gnu_hash(module, name, visit);
  } else if (module.sysv_hash != nullptr) {
    each_in_sysv_hash(module, name, visit);
  }
}

// How many there are is only said by what leads to them.
std::size_t symbol_count(const Module& module) noexcept {
  if (module.sysv_hash != nullptr) return module.sysv_hash[1];
  if (module.gnu_hash == nullptr) return 0;
  const GnuHash hash(module.gnu_hash);
  std::uint32_t last = hash.first;
  for (std::uint32_t i = 0; i < hash.bucket_count; i++) last = std::max(last, hash.buckets[i]);
  while ((hash.chains[last - hash.first] & 1) == 0) last++;
  return last + std::size_t{1};
}

// The entry of the module's dynamic section that says where its symbols are.
void** place_of_symbols(const Module& module) noexcept {
  for (const auto* entry = static_cast<const Dynamic*>(module.dynamic); entry->d_tag != DT_NULL;
       entry++) {
    if (entry->d_tag == DT_SYMTAB)
      return reinterpret_cast<void**>(const_cast<ElfW(Addr)*>(&entry->d_un.d_ptr));
  }
  return nullptr;
}

}  // namespace

void* find_function(const Module& module, const char* name) noexcept {
  void* found = nullptr;
  each_of_name(module, name, [&](const Symbol& symbol) {
    found = reinterpret_cast<void*>(module.base + symbol.st_value);
    return true;
  });
  return found;
}

// The loader is led to a copy of the symbols. The symbols themselves stay: they often are in one
// segment with code, which hardened systems let nobody write to, while the dynamic section is data.
bool redirect(const Module& module, std::span<const Redirection> redirections) noexcept {
  std::size_t bytes = symbol_count(module) * sizeof(Symbol);
  void** place = place_of_symbols(module);
  if (bytes == 0 || !module.dynamic_is_final) return false;
  auto* symbols = static_cast<Symbol*>(reserve(bytes));
  if (symbols == nullptr) return false;
  std::memcpy(symbols, module.symbols, bytes);
  Module copy = module;
  copy.symbols = symbols;
  for (const Redirection& redirection : redirections) {
    auto from = reinterpret_cast<std::uintptr_t>(redirection.function) - module.base;
    auto to = reinterpret_cast<std::uintptr_t>(redirection.other) - module.base;
    each_of_name(copy, redirection.name, [&](const Symbol& symbol) {
      if (symbol.st_value == from) symbols[&symbol - symbols].st_value = to;
      return false;
    });
  }
  if (write_slot(module, place, symbols)) return true;
  release(symbols, bytes);
  return false;
}

void each_slot(const Module& module, SlotVisitor visit, void* cookie) noexcept {
  const auto* symbols = static_cast<const Symbol*>(module.symbols);
  for (int table = 0; table < 2; table++) {
    const auto* relocation = static_cast<const Relocation*>(module.relocations[table]);
    if (relocation == nullptr) continue;
    for (const auto* end = relocation + module.relocation_counts[table]; relocation != end;
         relocation++) {
      auto type = static_cast<std::uint32_t>(ELF64_R_TYPE(relocation->r_info));
      bool named =
          type == kCallSlot || type == kDataSlot || (type == kPointer && relocation->r_addend == 0);
      if (!named) continue;
      visit(reinterpret_cast<void**>(module.base + relocation->r_offset),
            module.strings + symbols[ELF64_R_SYM(relocation->r_info)].st_name, cookie);
    }
  }
}

bool write_slot(const Module& module, void** slot, void* value) noexcept {
  int saved = errno;
  std::uintptr_t start = page_start(reinterpret_cast<std::uintptr_t>(slot));
  void* page = reinterpret_cast<void*>(start);
  bool read_only = start >= module.read_only_begin && start < module.read_only_end;
  bool writable = !read_only || mprotect(page, page_bytes(), PROT_READ | PROT_WRITE) == 0;
  if (writable) __atomic_store_n(slot, value, __ATOMIC_RELEASE);
  if (read_only && writable) mprotect(page, page_bytes(), PROT_READ);
  errno = saved;
  return writable;
}

std::size_t page_bytes() noexcept {
  static const std::size_t bytes = getauxval(AT_PAGESZ);
  return bytes;
}

namespace {

// One line of /proc/self/maps: "begin-end perms offset device inode path".
bool line_is_anonymous(const char* line) noexcept {
  const char* field = line;
  for (int skipped = 0; skipped < 4; skipped++) {
    field = std::strchr(field, ' ');
    if (field == nullptr) return false;
    field++;
  }
  if (std::strtoul(field, nullptr, 10) == 0) return true;
  return std::strstr(field, "/dev/zero (deleted)") != nullptr;  // anonymous and shared
}

bool line_covers(const char* line, std::uintptr_t address) noexcept {
  char* rest = nullptr;
  std::uintptr_t begin = std::strtoul(line, &rest, 16);
  std::uintptr_t end = *rest == '-' ? std::strtoul(rest + 1, nullptr, 16) : 0;
  return address >= begin && address < end;
}

}  // namespace

bool is_anonymous(const void* address) noexcept {
  int saved = errno;
  int file = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  char buffer[8192];
  std::size_t used = 0;
  bool found = false, anonymous = false;
  while (file >= 0 && !found) {
    ssize_t got = read(file, buffer + used, sizeof buffer - 1 - used);
    if (got <= 0) break;
    used += static_cast<std::size_t>(got);
    buffer[used] = '\0';
    char* line = buffer;
    for (char* end; !found && (end = std::strchr(line, '\n')) != nullptr; line = end + 1) {
      *end = '\0';
      found = line_covers(line, reinterpret_cast<std::uintptr_t>(address));
      anonymous = found && line_is_anonymous(line);
    }
    used -= static_cast<std::size_t>(line - buffer);
    std::memmove(buffer, line, used);
    if (used == sizeof buffer - 1) used = 0;  // a path longer than the buffer: not ours to know
  }
  if (file >= 0) close(file);
  errno = saved;
  return anonymous;
}

}  // namespace malloc_tracer::platform
