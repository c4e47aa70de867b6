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

/* "identity HOSTNAME [PATH TEXT]…": sets the one and writes the others; 1: no host name was set. */
void identity_main(char **argv) __attribute__((noreturn));

#endif
