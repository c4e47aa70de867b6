#include "tests/unit/ui_kit.h"

#define TEXT(text) ((char[]){text})

const struct state_record ui_records[UI_RECORDS] = {
    {.id = TEXT("aaaa00000001"),
     .name = TEXT("web"),
     .profile = TEXT("contained"),
     .boundary = TEXT("container"),
     .command = TEXT("python3 -m http.server"),
     .phase = STATE_RUNNING,
     .started_ms = 1000,
     .terminal = true},
    {.id = TEXT("bbbb00000002"),
     .name = TEXT("build"),
     .profile = TEXT("build"),
     .boundary = TEXT("container"),
     .command = TEXT("make\x1b[2J"),
     .phase = STATE_PAUSED,
     .started_ms = 2000,
     .terminal = true},
    {.id = TEXT("cccc00000003"),
     .name = TEXT("done"),
     .profile = TEXT("untrusted"),
     .boundary = TEXT("sandbox"),
     .command = TEXT("./x"),
     .phase = STATE_EXITED,
     .ended_ms = 3000,
     .status = 3     },
};

void ui_begin(struct ui_model *m)
{
    ui_model_init(m, 24, 80, true);
    m->now_ms = 5000;
    ui_model_list(m, ui_records, UI_RECORDS);
    m->dirty = false;
}

void ui_type(struct ui_model *m, const char *typed)
{
    size_t used = ui_update_input(m, typed, strlen(typed), true);
    assert_int_equal(used, strlen(typed));
}

void assert_intent(struct ui_model *m, enum ui_intent_kind kind, const char *id, const char *text)
{
    struct ui_intent i;
    assert_true(ui_take_intent(m, &i));
    assert_int_equal(i.kind, kind);
    if (id)
        assert_string_equal(i.id, id);
    if (text)
        assert_string_equal(i.text, text);
    ui_intent_done(&i);
}

void assert_verb(struct ui_model *m, const char *words)
{
    autofree char *args = str_dup(words);
    for (char *c = args; *c; c++)
        *c = *c == ' ' ? UI_ARG_END : *c;
    assert_intent(m, UI_INTENT_DO, NULL, args);
}

void assert_no_intent(struct ui_model *m)
{
    struct ui_intent i;
    assert_false(ui_take_intent(m, &i));
}
