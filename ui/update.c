/* Keys for lists, dialogs and pages. */
#include "ui/update_inner.h"

/* --- asking first --- */

static void ask(struct ui_model *m, enum ui_intent_kind kind, const struct ui_row *r,
                const char *verb, const char *note)
{
    free(m->asked_id);
    free(m->question);
    m->asked = kind;
    m->asked_id = str_dup(r->id);
    m->question = str_format("%s %s?%s  y/n", verb, r->name, note);
    m->dialog = UI_DIALOG_CONFIRM;
}

static void confirm_key(struct ui_model *m, uint32_t key)
{
    if (key == 'y' || key == 'Y')
        ui_intend(m, m->asked, m->asked_id, NULL, 0);
    else if (key != 'n' && key != 'N' && key != UI_KEY_ESC && key != 'q')
        return;
    m->dialog = UI_DIALOG_NONE;
}

/* --- the launch sheet --- */

static void profile_move(struct ui_model *m, int by)
{
    size_t count = m->profiles_count;
    if (!count)
        return;
    m->profile = (m->profile + count + (size_t)((int)count + by)) % count;
    ui_intend(m, UI_INTENT_EXPLAIN, NULL, m->profiles[m->profile].name,
              strlen(m->profiles[m->profile].name));
}

static void launch_open(struct ui_model *m)
{
    if (!m->profiles_count) {
        ui_model_message(m, true, "there are no profiles");
        return;
    }
    m->dialog = UI_DIALOG_LAUNCH;
    profile_move(m, 0);
}

static void launch_start(struct ui_model *m)
{
    autostrv char **words = ui_words(m->command.text);
    if (!words) {
        ui_model_message(m, true, "a quote is not closed");
        return;
    }
    ui_intend(m, UI_INTENT_START, m->profiles[m->profile].name, m->command.text, m->command.used);
    m->dialog = UI_DIALOG_NONE;
    m->page = UI_PAGE_LIST;
    ui_model_message(m, false, "starting…");
    update_line_set(&m->command, "");
}

static void launch_key(struct ui_model *m, uint32_t key)
{
    if (key == UI_KEY_ESC)
        m->dialog = UI_DIALOG_NONE;
    else if (key == UI_KEY_ENTER)
        launch_start(m);
    else if (key == UI_KEY_UP || key == UI_KEY_LEFT)
        profile_move(m, -1);
    else if (key == UI_KEY_DOWN || key == UI_KEY_RIGHT || key == UI_KEY_TAB)
        profile_move(m, 1);
    else
        update_line_key(&m->command, key);
}

/* --- lists --- */

static void select_move(struct ui_model *m, long by)
{
    size_t count = ui_model_visible_count(m);
    if (!count)
        return;
    size_t at = 0;
    while (at < count && !str_equal(m->list[ui_model_visible(m, at)].id, m->selected))
        at++;
    long to = at == count ? 0 : (long)at + by;
    to = MAX(MIN(to, (long)count - 1), 0L);
    free(m->selected);
    m->selected = str_dup(m->list[ui_model_visible(m, (size_t)to)].id);
}

static void filter_key(struct ui_model *m, uint32_t key)
{
    if (key == UI_KEY_ESC)
        update_line_set(&m->filter, "");
    if (key == UI_KEY_ESC || key == UI_KEY_ENTER)
        m->dialog = UI_DIALOG_NONE;
    else
        update_line_key(&m->filter, key);
    if (!ui_model_selected(m))
        select_move(m, 0);
}

static long page_step(const struct ui_model *m)
{
    struct ui_rect list, pane;
    ui_model_layout(m, &list, &pane);
    return MAX(list.rows - 2, 1);
}

/* Keys that move, alike in every list; 0: the key is none of them. */
static long movement(const struct ui_model *m, uint32_t key)
{
    switch (key) {
    case UI_KEY_UP:
    case 'k':
        return -1;
    case UI_KEY_DOWN:
    case 'j':
        return 1;
    case UI_KEY_PAGE_UP:
        return -page_step(m);
    case UI_KEY_PAGE_DOWN:
    case ' ':
        return page_step(m);
    case UI_KEY_HOME:
    case 'g':
        return -100000;
    case UI_KEY_END:
    case 'G':
        return 100000;
    }
    return 0;
}

/* Keys that do something to the selected workload. */
static void row_key(struct ui_model *m, const struct ui_row *r, uint32_t key)
{
    bool lives = r->phase != STATE_EXITED && r->phase != STATE_LOST;
    switch (key) {
    case UI_KEY_ENTER:
    case 'c':
        if (lives)
            update_console_open(m, r);
        else
            ui_intend(m, UI_INTENT_DETAILS, r->id, NULL, 0);
        return;
    case 'i':
    case UI_KEY_RIGHT:
        ui_intend(m, UI_INTENT_DETAILS, r->id, NULL, 0);
        return;
    case 'x':
    case UI_KEY_DELETE:
        ask(m, UI_INTENT_REMOVE, r, "Remove", lives ? " It is running: it will be killed." : "");
        return;
    }
    if (!lives && strchr("sKp", (int)key)) {
        ui_model_message(m, false, "it is not running; x removes it");
        return;
    }
    if (key == 's')
        ask(m, UI_INTENT_STOP, r, "Stop", "");
    else if (key == 'K')
        ask(m, UI_INTENT_KILL, r, "Kill", "");
    else if (key == 'p')
        ui_intend(m, r->phase == STATE_PAUSED ? UI_INTENT_RESUME : UI_INTENT_PAUSE, r->id, NULL, 0);
}

static void list_key(struct ui_model *m, uint32_t key)
{
    const struct ui_row *r = ui_model_selected(m);
    long by = movement(m, key);
    if (by)
        select_move(m, by);
    else if (key == '/')
        m->dialog = UI_DIALOG_FILTER;
    else if (key == UI_KEY_TAB && m->console.id)
        m->focus = m->console.streams || m->console.ended ? UI_FOCUS_LIST : UI_FOCUS_CONSOLE;
    else if (key == UI_KEY_ESC && m->console.id)
        update_console_close(m);
    else if (key == UI_KEY_ESC)
        update_line_set(&m->filter, "");
    else if (r && (key < 0x80 || key == UI_KEY_RIGHT || key == UI_KEY_DELETE))
        row_key(m, r, key);
}

static void profiles_key(struct ui_model *m, uint32_t key)
{
    long by = movement(m, key);
    if (by == 1 || by == -1)
        profile_move(m, (int)by);
    else if (key == UI_KEY_ENTER || key == 'n')
        launch_open(m);
    else if (key == UI_KEY_ESC || key == UI_KEY_LEFT)
        m->page = UI_PAGE_LIST;
}

static void text_key(struct ui_model *m, uint32_t key)
{
    long by = movement(m, key), count = (long)strv_length(m->text);
    long most = MAX(count - (m->rows - 3), 0L);
    if (by)
        m->text_scroll = (size_t)MAX(MIN((long)m->text_scroll + by, most), 0L);
    else if (key == UI_KEY_ESC || key == UI_KEY_LEFT || key == UI_KEY_ENTER)
        m->page = UI_PAGE_LIST;
}

static const char help_text[] =
    "Workloads\n"
    "  Enter    its console, to look at and type into\n"
    "  i        details: state, plan, what it can reach\n"
    "  n        start a command in a sandbox\n"
    "  s  K     stop it; kill it\n"
    "  p        pause, resume\n"
    "  x        remove it and what it left\n"
    "  /        show only those whose name, command, profile or state has these letters\n"
    "  r        look again now (it is done each second)\n"
    "\n"
    "Console\n"
    "  every key goes to the workload, but for ctrl-] and the next one\n"
    "  (or those its profile names: console.detach-keys, docker, tmux):\n"
    "  ctrl-] Tab     back to the list (Tab there leads here again)\n"
    "  ctrl-] z       the whole window for it, and back\n"
    "  ctrl-] t       take over typing from another viewer\n"
    "  ctrl-] x       close it; the workload goes on\n"
    "  ctrl-] ctrl-]  a ctrl-] for the workload\n"
    "\n"
    "Everywhere\n"
    "  P        profiles: how far something is trusted, and what that leaves open\n"
    "  ?        this page\n"
    "  Esc      one step out\n"
    "  q        leave; the workloads go on\n";

void ui_update_key(struct ui_model *m, uint32_t key)
{
    m->dirty = true;
    if (!m->message_bad || key == UI_KEY_ESC)
        ui_model_no_message(m); /* it has been read */
    switch (m->dialog) {
    case UI_DIALOG_CONFIRM:
        confirm_key(m, key);
        return;
    case UI_DIALOG_LAUNCH:
        launch_key(m, key);
        return;
    case UI_DIALOG_FILTER:
        filter_key(m, key);
        return;
    case UI_DIALOG_NONE:
        break;
    }
    if (key == 'q' || key == 0x03) {
        ui_intend(m, UI_INTENT_QUIT, NULL, NULL, 0);
    } else if (key == '?') {
        ui_model_text(m, "help", help_text);
    } else if (key == 'P') {
        m->page = UI_PAGE_PROFILES;
        profile_move(m, 0);
    } else if (key == 'n' && m->page == UI_PAGE_LIST) {
        launch_open(m);
    } else if (key == 'r' || key == 0x0c) {
        ui_intend(m, UI_INTENT_REFRESH, NULL, NULL, 0);
    } else {
        static void (*const by_page[UI_PAGE_COUNT])(struct ui_model *, uint32_t) = {
            [UI_PAGE_LIST] = list_key,
            [UI_PAGE_PROFILES] = profiles_key,
            [UI_PAGE_TEXT] = text_key,
        };
        by_page[m->page](m, key);
    }
}

size_t ui_update_input(struct ui_model *m, const char *data, size_t size, bool last)
{
    size_t used = 0;
    while (used < size) {
        size_t n;
        if (m->focus == UI_FOCUS_CONSOLE && m->dialog == UI_DIALOG_NONE) {
            n = update_console_input(m, data + used, size - used);
        } else {
            uint32_t key = UI_KEY_NONE;
            n = ui_key_decode(data + used, size - used, last, &key);
            if (n)
                ui_update_key(m, key);
        }
        if (!n)
            break;
        used += n;
    }
    return used;
}

void ui_update_size(struct ui_model *m, int rows, int cols)
{
    m->rows = rows;
    m->cols = cols;
    m->dirty = true;
    if (m->console.id)
        ui_intend(m, UI_INTENT_RESIZE, m->console.id, NULL, 0);
}

void ui_update_relaunch(struct ui_model *m, const char *profile, const char *command)
{
    if (m->dialog != UI_DIALOG_NONE || m->focus != UI_FOCUS_LIST || m->command.used)
        return; /* the person is elsewhere by now */
    for (size_t i = 0; i < m->profiles_count; i++)
        if (str_equal(m->profiles[i].name, profile))
            m->profile = i;
    update_line_set(&m->command, command);
    launch_open(m);
}
