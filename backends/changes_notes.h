/* Notes on a changed path, from its name and mode alone. */
#ifndef COFFERDAM_BACKENDS_CHANGES_NOTES_H
#define COFFERDAM_BACKENDS_CHANGES_NOTES_H

#include <sys/types.h>

/* Bits of change.notes, CHANGE_CAPABILITY left out. Directories get no note of their own mode. */
unsigned change_notes(const char *path, mode_t mode);

/* The greater, the sooner it is shown. */
unsigned change_badness(unsigned notes);

#endif
