# SPDX-License-Identifier: Apache-2.0
# Extension packages, built as ordinary parts of the tree.

# moor_extension_package(FULL_NAME VERSION FILES HandlerManifest.json bin/x ... [PROGRAM target])
#   -> ${CMAKE_BINARY_DIR}/extensions/FULL_NAME__VERSION.zip. PROGRAM goes to bin/<target>.
function(moor_extension_package full_name version)
    cmake_parse_arguments(ARG "" "PROGRAM" "FILES" ${ARGN})
    set(stage "${CMAKE_CURRENT_BINARY_DIR}/package")
    set(zip "${CMAKE_BINARY_DIR}/extensions/${full_name}__${version}.zip")
    set(copy "")
    set(sources "")
    set(names ${ARG_FILES})
    foreach(file IN LISTS ARG_FILES)
        get_filename_component(dir "${stage}/${file}" DIRECTORY)
        list(APPEND copy COMMAND ${CMAKE_COMMAND} -E make_directory "${dir}"
            COMMAND ${CMAKE_COMMAND} -E copy "${CMAKE_CURRENT_SOURCE_DIR}/${file}" "${stage}/${file}")
        list(APPEND sources "${CMAKE_CURRENT_SOURCE_DIR}/${file}")
    endforeach()
    if(ARG_PROGRAM)
        list(APPEND copy COMMAND ${CMAKE_COMMAND} -E make_directory "${stage}/bin"
            COMMAND ${CMAKE_COMMAND} -E copy "$<TARGET_FILE:${ARG_PROGRAM}>" "${stage}/bin/${ARG_PROGRAM}")
        list(APPEND sources ${ARG_PROGRAM})
        list(APPEND names "bin/${ARG_PROGRAM}")
    endif()
    add_custom_command(OUTPUT "${zip}"
        COMMAND ${CMAKE_COMMAND} -E rm -rf "${stage}" "${zip}"
        COMMAND ${CMAKE_COMMAND} -E make_directory "${CMAKE_BINARY_DIR}/extensions"
        ${copy}
        COMMAND mooring-pack "${zip}" "${stage}" ${names}
        DEPENDS ${sources} mooring-pack VERBATIM)
    string(REPLACE "." "_" target "package_${full_name}")
    add_custom_target(${target} ALL DEPENDS "${zip}")
endfunction()
