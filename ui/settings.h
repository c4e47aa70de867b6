/* interface.ini of the system and of the person: keys, colours, movement. */
#ifndef COFFERDAM_UI_SETTINGS_H
#define COFFERDAM_UI_SETTINGS_H

#include "ui/bindings.h"
#include "ui/paint.h"

/* Holds no pointers: it goes from process to process as it is. */
struct ui_settings {
    bool ascii, blocks, still, mouse, others;
    struct ui_style styles[UI_LOOK_COUNT]; /* of the theme and of the person's own */
    bool given[UI_LOOK_COUNT];
    struct ui_bindings keys;
    struct error error; /* the last thing that could not be read; code 0: none */
};

/* Reads the files, which may take as long as a disk does. */
void ui_settings_read(struct ui_settings *ret);

#endif
