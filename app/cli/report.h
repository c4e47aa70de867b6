/* The page that tells what a workload did, printed from the monitor's report. */
#ifndef COFFERDAM_APP_CLI_REPORT_H
#define COFFERDAM_APP_CLI_REPORT_H

#include "backends/changes.h"

#include <jansson.h>
#include <stdio.h>

enum { REPORT_CHANGES = 20 }; /* lines of changes on a page */

/*
 * Prints one page. Nothing in the report is trusted: every text is escaped, every member may be
 * missing. `colour`: `to` is a terminal that takes SGR.
 */
void report_print(FILE *to, const json_t *report, bool colour);

/* The same from the text that came over the wire; one line saying so if it is broken. */
void report_print_text(FILE *to, const char *json, bool colour);

/* Lines of changes, worst first, at most `most` (0: all). `name`: NULL or whose they are. */
void report_print_changes(FILE *to, const struct changes *c, size_t most, bool colour);

#endif
