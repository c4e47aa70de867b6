/* What the files of model.h share. */
#ifndef COFFERDAM_UI_MODEL_INNER_H
#define COFFERDAM_UI_MODEL_INNER_H

#include "ui/model.h"

char *ui_safe(const char *s); /* escaped; owned by the caller; NULL as "" */
void ui_row_done(struct ui_row *r);

#endif
