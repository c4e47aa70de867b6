/* Keys of the launch sheet, and what was found out for it. */
#include "ui/update_inner.h"

#include <stdlib.h>

static const char *profile_name(const struct ui_model *m)
{
    return m->profile < m->profiles_count ? m->profiles[m->profile].name : "";
}

static void profile_explain(struct ui_model *m)
{
    m->explained_scroll = 0;
    ui_intend(m, UI_INTENT_EXPLAIN, NULL, profile_name(m), strlen(profile_name(m)));
}

void update_profile_move(struct ui_model *m, int by)
{
    size_t count = m->profiles_count;
    if (!count)
        return;
    m->profile = (m->profile + count + (size_t)((int)count + by)) % count;
    profile_explain(m);
}

static void profile_take(struct ui_model *m, const char *name)
{
    for (size_t i = 0; name && i < m->profiles_count; i++)
        if (str_equal(m->profiles[i].name, name) && i != m->profile) {
            m->profile = i;
            profile_explain(m);
        }
}

static void dial_ask(struct ui_model *m)
{
    autofree char *path = ui_sheet_file(&m->sheet);
    if (!ui_sheet_looked(&m->sheet))
        ui_intend(m, UI_INTENT_DIAL, NULL, path, strlen(path));
}

static void completions_set(struct ui_sheet *s, char **paths)
{
    strv_free(s->completions);
    s->completions = paths;
}

void update_sheet_open(struct ui_model *m, enum ui_field field)
{
    if (!m->profiles_count) {
        ui_model_message(
            m, true, m->profiles_known ? "there are no profiles" : "the profiles are not read yet");
        return;
    }
    m->dialog = UI_DIALOG_LAUNCH;
    m->sheet.field = field;
    completions_set(&m->sheet, NULL);
    profile_explain(m);
    dial_ask(m);
}

static void dial_turn(struct ui_model *m, int by)
{
    struct ui_sheet *s = &m->sheet;
    int at = ui_sheet_stop(s, profile_name(m));
    if (!s->stops_known)
        return;
    s->chosen = true;
    at = at < 0 ? 0 : MAX(0, MIN(at + by, UI_STOPS - 1));
    profile_take(m, s->stops[at].profile);
}

static void choice_turn(struct ui_model *m, int by)
{
    struct ui_sheet *s = &m->sheet;
    const char *const *choices = ui_field_choices(s->field);
    int count = choices ? (int)strv_length((char *const *)choices) : 0;
    if (choices) {
        s->choices[s->field] = (s->choices[s->field] + count + by) % count;
    } else if (s->field == UI_FIELD_PROFILE) {
        s->chosen = true;
        update_profile_move(m, by);
    } else {
        dial_turn(m, by);
    }
}

void update_sheet_choose(struct ui_model *m, enum ui_field field)
{
    if (m->sheet.field == field)
        return;
    if (m->sheet.field == UI_FIELD_FILE)
        dial_ask(m);
    completions_set(&m->sheet, NULL);
    m->sheet.field = field;
}

static void field_move(struct ui_model *m, int by)
{
    update_sheet_choose(m,
                        (enum ui_field)((m->sheet.field + UI_FIELD_COUNT + by) % UI_FIELD_COUNT));
}

/* Without a CD there is nothing to install. */
static bool sheet_lacks_cd(struct ui_model *m)
{
    const struct ui_sheet *s = &m->sheet;
    bool lacks = s->lines[UI_FIELD_INSTALL].used && !s->lines[UI_FIELD_FILE].used;
    if (lacks)
        ui_model_message(m, true, "install: the CD image is the sheet's file");
    return lacks;
}

static void sheet_start(struct ui_model *m)
{
    if (sheet_lacks_cd(m))
        return;
    autostrv char **args = ui_sheet_args(&m->sheet, profile_name(m));
    if (!args) {
        ui_model_message(m, true, "a quote is not closed");
        return;
    }
    autofree char *text = update_args((const char *const *)args);
    ui_intend(m, UI_INTENT_START, NULL, text, strlen(text));
    m->dialog = UI_DIALOG_NONE;
    m->page = UI_PAGE_LIST;
    ui_model_message(m, false, "starting…");
}

/* The plan as it would be carried out; a file to be opened shows as the copy it would be. */
static void sheet_plan(struct ui_model *m)
{
    autostrv char **args = ui_sheet_args(&m->sheet, profile_name(m));
    if (!args)
        return;
    char **words = NULL;
    bool command = false;
    strv_add(&words, "plan");
    for (size_t i = 0; args[i]; i++) {
        command |= str_equal(args[i], "--");
        strv_add(&words, str_equal(args[i], "--open") && !command ? "--copy-in" : args[i]);
    }
    m->dialog = UI_DIALOG_NONE;
    update_page(m, "the plan, before anything starts", (const char *const *)words);
    m->text_to_sheet = true;
    strv_free(words);
}

static void sheet_save(struct ui_model *m)
{
    const char *name = m->sheet.lines[UI_FIELD_NAME].text;
    autofree char *text = ui_sheet_ini(&m->sheet, profile_name(m));
    if (!*name) {
        ui_model_message(m, true, "give it a name first: the last line of the sheet");
    } else if (!text) {
        ui_model_message(m, true, "a quote is not closed");
    } else if (m->sheet.lines[UI_FIELD_INSTALL].used) {
        ui_model_message(m, true, "an installation is done once, and is no workload file");
    } else {
        ui_intend(m, UI_INTENT_SAVE, name, text, strlen(text));
        ui_model_message(m, false, "writing…");
    }
}

static bool field_is_path(enum ui_field f)
{
    return f == UI_FIELD_FILE || f == UI_FIELD_MOUNT;
}

/* What is being typed of a path, and is completed; the words before it stay. */
static const char *path_word(const struct ui_sheet *s)
{
    const char *text = s->lines[s->field].text;
    const char *last = s->field == UI_FIELD_MOUNT ? strrchr(text, ' ') : NULL;
    return last ? last + 1 : text;
}

static void path_set(struct ui_sheet *s, const char *path, size_t size)
{
    struct ui_line *l = &s->lines[s->field];
    autofree char *line =
        str_format("%.*s%.*s", (int)(path_word(s) - l->text), l->text, (int)size, path);
    update_line_set(l, line);
}

static void sheet_complete(struct ui_model *m)
{
    const char *word = path_word(&m->sheet);
    ui_intend(m, UI_INTENT_COMPLETE, NULL, word, strlen(word));
}

void update_sheet_take(struct ui_model *m, size_t nth)
{
    struct ui_sheet *s = &m->sheet;
    autofree char *path = str_dup(s->completions[nth]);
    path_set(s, path, strlen(path));
    completions_set(s, NULL);
    if (*path && path[strlen(path) - 1] == '/')
        sheet_complete(m); /* what is in the folder */
}

void update_sheet_key(struct ui_model *m, uint32_t key)
{
    struct ui_sheet *s = &m->sheet;
    bool path = field_is_path(s->field);
    key = ui_bindings_meant(&m->bindings, UI_IN_SHEET, key);
    if (key == UI_KEY_ESC)
        m->dialog = UI_DIALOG_NONE;
    else if (key == UI_KEY_ENTER && s->field == UI_FIELD_FILE && s->lines[UI_FIELD_FILE].used)
        field_move(m, UI_FIELD_DIAL - UI_FIELD_FILE); /* it is looked at before it is started */
    else if (key == UI_KEY_ENTER)
        sheet_start(m);
    else if (key == 0x10) /* ctrl-p */
        sheet_plan(m);
    else if (key == 0x13) /* ctrl-s */
        sheet_save(m);
    else if (key == UI_KEY_TAB && path && s->lines[s->field].used)
        sheet_complete(m);
    else if (key == UI_KEY_DOWN || key == UI_KEY_TAB)
        field_move(m, 1);
    else if (key == UI_KEY_UP || key == UI_KEY_BACK_TAB)
        field_move(m, -1);
    else if (key == UI_KEY_LEFT || key == UI_KEY_RIGHT)
        choice_turn(m, key == UI_KEY_LEFT ? -1 : 1);
    else if (ui_field_is_typed(s->field))
        update_line_key(&s->lines[s->field], key);
    else if (key == ' ' || key == 'h' || key == 'l')
        choice_turn(m, key == 'h' ? -1 : 1);
    else if (s->field == UI_FIELD_DIAL && key >= '1' && key < '1' + UI_STOPS && s->stops_known) {
        s->chosen = true;
        profile_take(m, s->stops[key - '1'].profile);
    }
}

/* --- what came of it --- */

void ui_update_dial(struct ui_model *m, struct ui_stop stops[UI_STOPS], const char *looked_at,
                    char *what, char *advice, const char *profile)
{
    struct ui_sheet *s = &m->sheet;
    struct ui_sheet late = {0};
    autofree char *path = ui_sheet_file(s);
    /* Answers overtake one another: one about no file, or a former one, tells nothing new. */
    struct ui_sheet *to =
        s->stops_known && !str_equal(looked_at ? looked_at : "", path) ? &late : s;
    ui_sheet_stops_done(to);
    memcpy(to->stops, stops, sizeof(to->stops));
    if (to == &late) {
        late.what = what;
        late.advice = advice;
        ui_sheet_stops_done(&late);
        return;
    }
    s->stops_known = true;
    s->looked_at = str_dup(looked_at ? looked_at : "");
    s->what = what;
    s->advice = advice;
    if (profile && !s->chosen)
        profile_take(m, profile);
    m->dirty = true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void ui_update_completions(struct ui_model *m, const char *of, char **paths)
{
    struct ui_sheet *s = &m->sheet;
    if (m->dialog != UI_DIALOG_LAUNCH || !field_is_path(s->field) ||
        !str_equal(path_word(s), of)) { /* the person is elsewhere by now */
        strv_free(paths);
        return;
    }
    if (paths)
        qsort(paths, strv_length(paths), sizeof(*paths), by_name);
    completions_set(s, paths);
    m->dirty = true;
    if (!paths || !paths[0])
        return;
    size_t size = strlen(paths[0]);
    for (size_t i = 1; paths[i]; i++)
        for (size_t k = 0; k < size; k++)
            if (paths[i][k] != paths[0][k])
                size = k;
    if (size >= strlen(path_word(s)))
        path_set(s, paths[0], size);
}

void ui_update_relaunch(struct ui_model *m)
{
    if (m->dialog != UI_DIALOG_NONE || m->focus != UI_FOCUS_LIST)
        return; /* the person is elsewhere by now */
    m->dialog = UI_DIALOG_LAUNCH;
    profile_explain(m);
}
