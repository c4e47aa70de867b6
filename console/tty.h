/* The user's own terminal: taken over and given back on every way out. One at a time in a process.
 */
#ifndef COFFERDAM_CONSOLE_TTY_H
#define COFFERDAM_CONSOLE_TTY_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Raw mode on `fd`. From here on the terminal is put back by tty_restore(), at exit and by a
 * handler for the signals a broken program dies of. -ENOTTY: it is none.
 */
int tty_raw(int fd);
int tty_silent(int fd); /* lines as ever, but not echoed: what is at the other end echoes */
/* Says that the alternate screen is shown on `fd`, so that an emergency leaves it too; FD_NONE:
 * not. */
void tty_note_screen(int fd);
void tty_restore(void); /* the modes only; idempotent */

/* Its size; 24×80 where it does not say. */
void tty_size(int fd, uint16_t *ret_rows, uint16_t *ret_cols);

#endif
