#include "ui/hints.h"

#include "ui/tour.h"
#include "ui/update_inner.h"

/* They stand two blanks apart, the ones that can be missed last: what does not fit is left out. */
// clang-format off
static const char *const page_keys[UI_PAGE_COUNT] = {
    [UI_PAGE_LIST] = "? help  q quit  Enter console  n new  o open  i details  s stop  "
        "X remove  e shell  S snapshot  R report  / filter  v tree  H host  D doctor  "
        ": command",
    [UI_PAGE_PROFILES] = "Up Down choose  Enter start  Esc back  PgDn read on  i values  e edit  c check  "
        "q quit",
    [UI_PAGE_IMAGES] = "? help  Esc back  Enter details  n start from it  p pull  X remove  v verify  w export  T name it  "
        "h history  Y import  K prune  / filter",
    [UI_PAGE_HOST] = "Esc back  q quit  D doctor  I images  : command",
    [UI_PAGE_GRAPHS] = "Up Down another workload  Esc back  i details  q quit",
    [UI_PAGE_TEXT] = "Up Down PgUp PgDn move  Esc back  q quit  / search",
};
// clang-format on

static char *console_keys(const struct ui_console *c)
{
    autofree char *prefix = ui_console_prefix(c);
    autofree char *leave = attach_chord_name(&c->keys);
    if (!c->keys.more || !c->keys.second)
        return str_format("%s list", leave);
    return str_format("%s Tab list  z zoom  [ look back  x close  o next pane  | - tile  e shell  "
                      "p paste  b to all marked  t take over  ? help",
                      prefix);
}

static char *bottom_keys(const struct ui_model *m)
{
    struct ui_rect tour;
    ui_tour_place(m, &tour);
    if (tour.rows && m->dialog == UI_DIALOG_NONE)
        return str_dup("Right next  Left back  Esc leave the tour  ? help  q quit");
    if (m->dialog == UI_DIALOG_LAUNCH)
        return str_dup("Enter start  Esc back  Up Down lines  Left Right dial  Tab path  "
                       "ctrl-p plan  ctrl-s save");
    if (m->page == UI_PAGE_LIST && m->focus == UI_FOCUS_CONSOLE && ui_pane(m)->copy)
        return str_dup("Esc back  / search  n N next  v V select  y copy  s save to a file  "
                       "Up Down PgUp PgDn g G move");
    if (m->page == UI_PAGE_LIST && m->focus == UI_FOCUS_CONSOLE)
        return console_keys(ui_pane(m));
    if (m->page == UI_PAGE_LIST && ui_pane(m)->ended)
        return str_dup("? help  q quit  Esc close it  [ look back  n new  i details  X remove");
    if (m->page == UI_PAGE_LIST && ui_pane(m)->id)
        return str_dup("? help  q quit  Tab console  Esc close it  + one more  [ look back  "
                       "n new  i details  s stop  X remove  p pause");
    if (m->page == UI_PAGE_TEXT && m->text_id)
        return str_dup("Esc back  Left Right the other pages  Up Down PgUp PgDn move  / search  "
                       "r look again  q quit  ? help");
    return str_dup(page_keys[m->page]);
}

/* Where what stands there means something. */
static unsigned bottom_where(const struct ui_model *m)
{
    if (m->dialog == UI_DIALOG_LAUNCH)
        return UI_IN_SHEET;
    if (m->page == UI_PAGE_LIST && m->focus == UI_FOCUS_CONSOLE)
        return ui_pane(m)->copy ? UI_IN_COPY : UI_IN_CONSOLE;
    return ui_where(m);
}

char *ui_hints(const struct ui_model *m)
{
    autofree char *usual = bottom_keys(m);
    autofree char *of_page = ui_bindings_hints(&m->bindings, bottom_where(m), usual);
    autofree char *hints = ui_tasks_rows(m) ? str_format("Z give up  %s", of_page) : TAKE(of_page);
    size_t fits = 0;
    for (const char *at = hints; at; at = strstr(at + 2, "  ")) {
        const char *end = strstr(at + 2, "  ");
        size_t length = end ? (size_t)(end - hints) : strlen(hints);
        if ((int)length <= m->cols)
            fits = length;
    }
    return str_ndup(hints, fits);
}

const char *ui_filter_seen(const struct ui_model *m)
{
    const struct ui_line *l = m->page == UI_PAGE_LIST     ? &m->filter
                              : m->page == UI_PAGE_IMAGES ? &m->images.filter
                                                          : NULL;
    bool free = m->dialog == UI_DIALOG_NONE && m->focus == UI_FOCUS_LIST && !m->message;
    return free && l && l->used ? l->text : NULL;
}

bool ui_hints_seen(const struct ui_model *m)
{
    bool free = m->dialog == UI_DIALOG_NONE || m->dialog == UI_DIALOG_LAUNCH;
    return free && !m->message && !ui_filter_seen(m);
}

/* The key that stands there, of a part: several may stand before what they do. Else its first. */
static char *key_at(const char *part, size_t size, size_t col)
{
    size_t from = 0, word = 0;
    while ((word = strcspn(part + from, " ")), from + word < MIN(col, size))
        from += word + 1;
    autofree char *key = str_ndup(part + from, MIN(word, size - MIN(from, size)));
    bool last = from + word >= size;
    return !last && ui_bindings_key(key) ? TAKE(key) : str_ndup(part, strcspn(part, " "));
}

/* The key of the part that stands there; owned by the caller, NULL: none does. */
static char *word_at(const struct ui_model *m, int col, bool *ret_first)
{
    autofree char *hints = ui_hints(m);
    for (const char *at = hints; *at;) {
        const char *end = strstr(at, "  ");
        size_t size = end ? (size_t)(end - at) : strlen(at);
        if (col >= at - hints && col < at - hints + (int)size) {
            *ret_first = at == hints;
            return key_at(at, size, (size_t)(col - (int)(at - hints)));
        }
        at += size + (end ? 2 : 0);
    }
    return NULL;
}

uint32_t ui_hint_at(const struct ui_model *m, int col)
{
    bool first = false;
    autofree char *word = word_at(m, col, &first);
    bool chord = m->dialog == UI_DIALOG_NONE && m->page == UI_PAGE_LIST &&
                 m->focus == UI_FOCUS_CONSOLE && !ui_pane(m)->copy;
    if (!word)
        return UI_KEY_NONE;
    if (chord)
        return first ? UI_KEY_TAB : ui_bindings_key(word); /* the first names its prefix */
    uint32_t key = ui_bindings_key(word);
    bool leaves = m->dialog == UI_DIALOG_NONE && m->focus == UI_FOCUS_LIST &&
                  ui_bindings_meant(&m->bindings, ui_where(m), key) == 'q';
    return leaves ? UI_KEY_NONE : key; /* no slip of the hand ends the interface */
}

int ui_answers_col(const struct ui_model *m)
{
    return m->asked_left ? MAX(m->cols - (int)strlen(UI_ANSWERS), 0) : 0;
}

uint32_t ui_answer_at(const struct ui_model *m, int col)
{
    static const struct {
        int from, to;
        uint32_t key;
    } answers[] = {
        {6,  13, 'y'},
        {15, 21, 'n'}
    };
    col -= ui_answers_col(m);
    for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
        if (col >= answers[i].from && col < answers[i].to)
            return answers[i].key;
    return UI_KEY_NONE;
}
