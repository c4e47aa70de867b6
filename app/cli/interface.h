/* What the command line lends to the terminal interface. */
#ifndef COFFERDAM_APP_CLI_INTERFACE_H
#define COFFERDAM_APP_CLI_INTERFACE_H

#include "ui/module.h"

extern const struct ui_host interface_host;

#endif
