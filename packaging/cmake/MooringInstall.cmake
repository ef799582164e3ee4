# SPDX-License-Identifier: Apache-2.0
# What an installed system gets, in two components: agent and controlplane. Packages are made of
# this and of nothing else; folders with state are systemd-tmpfiles' (packaging/systemd).

# Relative paths are below the prefix, which is /usr in a package.
set(MOOR_SYSTEMD_DIR "lib/systemd" CACHE STRING "Where units and system.conf.d go")
set(MOOR_PROFILE_DIR "${CMAKE_INSTALL_FULL_SYSCONFDIR}/profile.d" CACHE PATH "")
set(MOOR_ZSH_DIR "share/zsh/site-functions" CACHE STRING "Where zsh looks for completions")

set(libexec "${CMAKE_INSTALL_FULL_LIBEXECDIR}/mooring")
set(units "${CMAKE_CURRENT_SOURCE_DIR}/packaging/systemd")
file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/links")

function(moor_install_units component)
    foreach(unit ${ARGN})
        configure_file("${units}/${unit}" "${CMAKE_BINARY_DIR}/systemd/${unit}" @ONLY)
        install(FILES "${CMAKE_BINARY_DIR}/systemd/${unit}"
            DESTINATION "${MOOR_SYSTEMD_DIR}/system" COMPONENT ${component})
    endforeach()
endfunction()

# ---- the agent ----
install(TARGETS mooring DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT agent)
install(TARGETS mooringd DESTINATION "${libexec}" COMPONENT agent)
file(CREATE_LINK mooring "${CMAKE_BINARY_DIR}/links/azcmagent" SYMBOLIC)
install(FILES "${CMAKE_BINARY_DIR}/links/azcmagent"
    DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT agent)
moor_install_units(agent
    mooring-identity.service mooring-himds.socket mooring-himds6.socket mooring-roles.socket
    mooring-admin.socket mooring-extensions.service mooring-fetch.socket mooring-fetch@.service
    mooring-logs.service)
install(FILES "${units}/azcmagent.conf"
    DESTINATION "${MOOR_SYSTEMD_DIR}/system.conf.d" COMPONENT agent)
install(FILES "${units}/azcmagent.sh" DESTINATION "${MOOR_PROFILE_DIR}" COMPONENT agent)
install(FILES "${units}/sysusers.conf"
    DESTINATION lib/sysusers.d RENAME mooring.conf COMPONENT agent)
configure_file("${units}/tmpfiles.conf" "${CMAKE_BINARY_DIR}/systemd/tmpfiles.conf" @ONLY)
install(FILES "${CMAKE_BINARY_DIR}/systemd/tmpfiles.conf"
    DESTINATION lib/tmpfiles.d RENAME mooring.conf COMPONENT agent)
install(FILES docs/man/mooring.1 DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT agent)
file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/man/azcmagent.1" CONTENT ".so man1/mooring.1\n")
install(FILES "${CMAKE_BINARY_DIR}/man/azcmagent.1"
    DESTINATION "${CMAKE_INSTALL_MANDIR}/man1" COMPONENT agent)
install(FILES docs/man/mooringd.8 DESTINATION "${CMAKE_INSTALL_MANDIR}/man8" COMPONENT agent)
foreach(name mooring azcmagent)
    install(FILES packaging/completion/mooring
        DESTINATION share/bash-completion/completions RENAME ${name} COMPONENT agent)
endforeach()

install(FILES packaging/completion/_mooring DESTINATION "${MOOR_ZSH_DIR}" COMPONENT agent)

# ---- the control plane ----
install(TARGETS mooring-controlplane DESTINATION "${CMAKE_INSTALL_BINDIR}" COMPONENT controlplane)
moor_install_units(controlplane mooring-controlplane.service)
install(FILES "${units}/sysusers-controlplane.conf"
    DESTINATION lib/sysusers.d RENAME mooring-controlplane.conf COMPONENT controlplane)
install(FILES "${units}/tmpfiles-controlplane.conf"
    DESTINATION lib/tmpfiles.d RENAME mooring-controlplane.conf COMPONENT controlplane)
install(FILES docs/man/mooring-controlplane.8
    DESTINATION "${CMAKE_INSTALL_MANDIR}/man8" COMPONENT controlplane)
install(DIRECTORY "${CMAKE_BINARY_DIR}/extensions/"
    DESTINATION share/mooring-controlplane/extensions COMPONENT controlplane
    FILES_MATCHING PATTERN "*.zip")
