/* SPDX-License-Identifier: Apache-2.0 */
/*
 * banned.h: functions of the C library that do not compile in this project.
 *
 * The build includes this file in front of every source. The system headers that declare the
 * functions come first, so that only calls of ours are hit. tests/lint knows a longer list, with
 * the functions that one folder wraps and nobody else may call.
 */
#ifndef MOOR_BASE_BANNED_H
#define MOOR_BASE_BANNED_H

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOOR_BANNED(fn) moor_does_not_allow_##fn()

/* Instead: base/buf.h, base/span.h. */
#undef strcpy
#define strcpy(...) MOOR_BANNED(strcpy)
#undef strcat
#define strcat(...) MOOR_BANNED(strcat)
#undef strncpy
#define strncpy(...) MOOR_BANNED(strncpy)
#undef strncat
#define strncat(...) MOOR_BANNED(strncat)
#undef sprintf
#define sprintf(...) MOOR_BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) MOOR_BANNED(vsprintf)
#undef gets
#define gets(...) MOOR_BANNED(gets)
#undef strtok
#define strtok(...) MOOR_BANNED(strtok)
#undef strdup
#define strdup(...) MOOR_BANNED(strdup)

/* Instead: base/text.h. */
#undef sscanf
#define sscanf(...) MOOR_BANNED(sscanf)
#undef atoi
#define atoi(...) MOOR_BANNED(atoi)
#undef atol
#define atol(...) MOOR_BANNED(atol)
#undef strtol
#define strtol(...) MOOR_BANNED(strtol)
#undef strtoul
#define strtoul(...) MOOR_BANNED(strtoul)

/* Instead: base/timefmt.h. */
#undef gmtime
#define gmtime(...) MOOR_BANNED(gmtime)
#undef localtime
#define localtime(...) MOOR_BANNED(localtime)
#undef ctime
#define ctime(...) MOOR_BANNED(ctime)
#undef asctime
#define asctime(...) MOOR_BANNED(asctime)

/* Instead: run/child.h, platform/file.h, platform/random.h. */
#undef system
#define system(...) MOOR_BANNED(system)
#undef popen
#define popen(...) MOOR_BANNED(popen)
#undef mktemp
#define mktemp(...) MOOR_BANNED(mktemp)
#undef tmpnam
#define tmpnam(...) MOOR_BANNED(tmpnam)
#undef rand
#define rand() MOOR_BANNED(rand)
#undef srand
#define srand(...) MOOR_BANNED(srand)
#undef signal
#define signal(...) MOOR_BANNED(signal)

#endif
