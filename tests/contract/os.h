/* SPDX-License-Identifier: Apache-2.0 */
/* os.h: what contract tests need that platform/ does not offer. Failures abort the test. */
#ifndef MOOR_CONTRACT_OS_H
#define MOOR_CONTRACT_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A new empty folder, ours alone; removed with all below it when the program ends. */
const char *os_temp_dir(void);
/* os_temp_dir() + "/" + name, in memory that lives until the program ends. */
const char *os_temp(const char *name);

void os_write(const char *path, const char *text);
/* The file's text, in memory that lives until the next call; NULL when it cannot be read. */
const char *os_read(const char *path);
void os_link(const char *target, const char *path);
void os_hard_link(const char *file, const char *path);
void os_pipe_node(const char *path);
unsigned os_umask(unsigned mask); /* says the one before */
void os_mode(const char *path, unsigned mode);
/* False when the test has no right to give files away. */
bool os_give_away(const char *path);
void os_setenv(const char *name, const char *value); /* NULL unsets */
size_t os_open_descriptors(void);
/* How many more there are than when os_temp_dir() was first called. */
size_t os_new_descriptors(void);
void os_sleep_ms(unsigned ms);
/* Whether a crash of this process would leave its memory in a file, or its user may read it. */
bool os_leaves_memory(void);
/* Waits until the descriptor is readable, at most ms. */
bool os_wait_readable(int fd, unsigned ms);
/* From now on this process cannot make a file longer than bytes; 0 = no limit. */
void os_limit_file_size(size_t bytes);
/* Connects to 127.0.0.1 or ::1; -1 when refused. */
int os_connect_tcp(const char *address, uint16_t port);
/* The system's form of a numeric address, in memory that lives until the next call. */
const void *os_address(const char *address, size_t *n);
/* Listens for message connections on a new Unix socket. */
int os_listen_messages(const char *path);
/* Takes the next connection, waiting up to 10 s; -1 when none comes. */
int os_accept(int listener);
/* Moves this process into a new control group (version 2) and says its path, NULL when that
 * cannot be; leaving removes the group. */
const char *os_enter_cgroup(const char *name);
void os_leave_cgroup(const char *name);
size_t os_read_socket(int fd, char *room, size_t n); /* 0 at the end */

/* Opens descriptors that children inherit. */
void os_leaky_descriptors(int *fds, size_t count);
/* Blocks and ignores some signals in this process, or undoes it. */
void os_block_signals(bool block);
/* Running processes with this word in their command line; zombies of this process. */
size_t os_count_processes(const char *word);
size_t os_count_zombies(void);

/* What the service manager would hear from now on; read it with os_read_socket(). */
int os_notify_socket(void);
/* This process finds fd, which is moved, as if the service manager had passed it under name; NULL
 * undoes it. */
void os_pass_socket(int fd, const char *name);
/* Standard error goes to this new file until it is called with NULL. */
void os_capture_errors(const char *path);
/* Lets captured errors look like the journal's stream, or not. */
void os_pretend_journal(bool on);

#endif
