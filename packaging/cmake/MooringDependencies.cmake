# SPDX-License-Identifier: Apache-2.0
# Every third-party library, named once. Minimum versions are those of Debian 12.
# packaging/build-deps installs them; docs/adr/0001-dependencies.md says why each is here.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(ZLIB 1.2 REQUIRED)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.87)
pkg_check_modules(CJSON REQUIRED IMPORTED_TARGET libcjson>=1.7.15)
pkg_check_modules(EVENT REQUIRED IMPORTED_TARGET
    libevent_core>=2.1.12 libevent_extra>=2.1.12 libevent_openssl>=2.1.12 libevent_pthreads>=2.1.12)
pkg_check_modules(SYSTEMD REQUIRED IMPORTED_TARGET libsystemd>=249)
pkg_check_modules(ZIP REQUIRED IMPORTED_TARGET libzip>=1.7)
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3>=3.37)
pkg_check_modules(YAML REQUIRED IMPORTED_TARGET yaml-0.1>=0.2.5)

# Faster than zlib; the log forwarder does without where they are not packaged (docs/adr/0010).
option(MOOR_FAST_GZIP "Use ISA-L and libdeflate where they are found" ON)
if(MOOR_FAST_GZIP)
    pkg_check_modules(ISAL IMPORTED_TARGET libisal>=2.30)
    pkg_check_modules(LIBDEFLATE IMPORTED_TARGET libdeflate>=1.14)
endif()
