/* What the command line lends to the terminal interface. */
#ifndef COFFERDAM_APP_CLI_INTERFACE_H
#define COFFERDAM_APP_CLI_INTERFACE_H

#include "ui/module.h"

#include <stdint.h>

const struct ui_host *interface_host(void); /* static */

/*
 * Between the interface and the verb `launch`, over a Unix socket that is the latter's descriptor
 * 3: one of these to it, then its workload's name with the connection to the monitor back.
 */
enum { INTERFACE_FD = 3 };
struct interface_size {
    uint16_t rows, cols;
};

#endif
