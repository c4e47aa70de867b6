/* What tests of the interface's model share: three workloads, keys in, intents out. */
#ifndef COFFERDAM_TESTS_UNIT_UI_KIT_H
#define COFFERDAM_TESTS_UNIT_UI_KIT_H

#include "tests/unit/unit.h"
#include "ui/update.h"

enum { UI_RECORDS = 3 };
extern const struct state_record ui_records[UI_RECORDS]; /* web runs, build is paused, done ended */

void ui_begin(struct ui_model *m); /* with those, on 80 by 24 */
void ui_type(struct ui_model *m, const char *typed);

/* The next intent is this one, about this workload. */
void assert_intent(struct ui_model *m, enum ui_intent_kind kind, const char *id, const char *text);
void assert_verb(struct ui_model *m, const char *words); /* it is this verb, a blank between words */
void assert_no_intent(struct ui_model *m);

#endif
