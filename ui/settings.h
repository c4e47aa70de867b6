/* interface.ini of the system and of the person: keys, colours, movement. */
#ifndef COFFERDAM_UI_SETTINGS_H
#define COFFERDAM_UI_SETTINGS_H

#include "ui/paint.h"

/* Into the model and the paint. What cannot be read is said in the model's message. */
void ui_settings_load(struct ui_model *m);

#endif
