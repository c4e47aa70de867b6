/* What runs in a workload, as this machine's /proc has it: nothing is asked of the workload. */
#ifndef COFFERDAM_UI_PROCESSES_H
#define COFFERDAM_UI_PROCESSES_H

#include "base/str.h"

#include <sys/types.h>

/* A page of text: this process and all below it, as a tree. May wait for a process that hangs. */
void processes_print(pid_t pid, struct buf *b);

#endif
