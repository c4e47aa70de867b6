/* The terminal interface as the command line loads it: cofferdam-ui.so exports `ui_module`. */
#ifndef COFFERDAM_UI_MODULE_H
#define COFFERDAM_UI_MODULE_H

struct ui_module {
    int (*run)(void); /* until the person leaves; the process's exit status */
};

#endif
