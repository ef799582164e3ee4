# SPDX-License-Identifier: Apache-2.0
# The link graph is the layer rule. Every folder is one static library whose include path
# holds that folder and nothing else (a link of the folder's name in the build tree), so that
# an include of a folder that was not linked does not compile.

# moor_layer(NAME SOURCES a.c b.c ... USES base http ... [LIBRARIES CURL::libcurl ...])
#   NAME is the folder's name as includes say it: #include "NAME/header.h".
function(moor_layer name)
    cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
    set(include_root "${CMAKE_BINARY_DIR}/layers/${name}")
    file(MAKE_DIRECTORY "${include_root}")
    file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${include_root}/${name}" SYMBOLIC)

    add_library(moor_${name} STATIC ${ARG_SOURCES})
    target_include_directories(moor_${name} PUBLIC "${include_root}")
    list(TRANSFORM ARG_USES PREPEND moor_)
    target_link_libraries(moor_${name} PUBLIC ${ARG_USES} PRIVATE moor_flags ${ARG_LIBRARIES})
endfunction()

# moor_program(NAME SOURCES main.c USES core ... [LIBRARIES ...])
function(moor_program name)
    cmake_parse_arguments(ARG "" "" "SOURCES;USES;LIBRARIES" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    list(TRANSFORM ARG_USES PREPEND moor_)
    # The system's side of platform/include comes last: every layer above may call it.
    target_link_libraries(${name} PRIVATE moor_flags ${ARG_USES} ${ARG_LIBRARIES} moor_posix)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
endfunction()
