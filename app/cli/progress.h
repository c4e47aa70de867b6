/* How far a verb is: a line with a bar on a terminal, records for the interface, else nothing. */
#ifndef COFFERDAM_APP_CLI_PROGRESS_H
#define COFFERDAM_APP_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* From here on standard error gets records (base/pace.h), each in one write. */
void progress_as_records(void);

bool progress_is_wanted(void);
bool progress_is_records(void);
/* `total` 0: not known. What is told more often than can be read is left out. */
void progress_tell(const char *what, uint64_t done, uint64_t total);
/* The line goes; something else is to be said. */
void progress_over(void);

#endif
