# One target per folder of src/. A target sees the headers of the layers it links and no others: each layer exports an
# include root that holds nothing but a link to its own folder, so `#include "capture/..."` from report/ does not build.

function(malloc_tracer_warnings target)
  # clang's -Wconversion means signs too, g++'s does not.
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wconversion -Wno-sign-conversion -Wshadow)
  if(MALLOC_TRACER_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# malloc_tracer_layer(<folder> SOURCES <files...> LINKS <layers...> [HOOK_ZONE])
function(malloc_tracer_layer name)
  cmake_parse_arguments(LAYER "HOOK_ZONE" "" "SOURCES;LINKS" ${ARGN})
  string(REPLACE "/" "_" target "mt_${name}")
  string(REGEX MATCH "^[^/]+" folder ${name})
  set(root ${CMAKE_BINARY_DIR}/layers/${folder})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${folder} ${root}/${folder} SYMBOLIC)
  if(LAYER_SOURCES)
    add_library(${target} STATIC ${LAYER_SOURCES})
    target_include_directories(${target} PUBLIC ${root})
    malloc_tracer_warnings(${target})
    if(LAYER_HOOK_ZONE)
      # Code that runs inside malloc (docs: the header of capture/events.hpp): nothing that could allocate or call into the C++ runtime.
      target_compile_options(${target} PRIVATE -fno-exceptions -fno-rtti -ftls-model=initial-exec -fno-plt
                                               -fno-threadsafe-statics
                                               -fno-tree-slp-vectorize)
    endif()
    set(scope PUBLIC)
  else()
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${root})
    set(scope INTERFACE)
  endif()
  foreach(link ${LAYER_LINKS})
    string(REPLACE "/" "_" link "mt_${link}")
    target_link_libraries(${target} ${scope} ${link})
  endforeach()
endfunction()
