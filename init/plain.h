/* "cofferdam-init -- COMMAND…": PID 1 without a host to talk to. */
#ifndef COFFERDAM_INIT_PLAIN_H
#define COFFERDAM_INIT_PLAIN_H

/*
 * Runs the command `argv` with `env` and ends with its status, 128 + n for a signal, 127 if it is
 * not found, 126 if it cannot be run. Signals sent to us go to its process group.
 */
void plain_main(char **argv, char **env) __attribute__((noreturn));

/*
 * "env [NAME=VALUE]… -- COMMAND…": becomes the command, with these over `env`; 126 and 127 as
 * above. For runtimes that have no word of their own for variables.
 */
void env_main(char **argv, char **env) __attribute__((noreturn));

/*
 * "list PATH": a filter of system calls for ourselves and all that comes from us, seccomp(2)'s
 * instructions as PATH holds them. For runtimes that hold what they add to none; on failure the
 * command is not run: 125.
 */
void list_take(const char *path);

/*
 * "still": stops everything but itself and PID 1, and says what, a pid a line, before; 1: it goes
 * on, since it could not all be stopped, or nobody hears it.
 */
void still_main(void) __attribute__((noreturn));

/*
 * "go-on [HOSTNAME [PATH TEXT]…] [-- PID…]": a new identity, if there is one, then those go on;
 * without "--" all that stands still. 1: the identity cannot be had; nothing goes on.
 */
void go_on_main(char **argv) __attribute__((noreturn));

/* HOSTNAME, then pairs PATH TEXT, then NULL: sets the one and writes the others. 0, or -errno. */
int identity_take(char **words);

#endif
