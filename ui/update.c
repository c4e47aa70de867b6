/* Where keys go: to a dialog, to the page that is shown, or to what works everywhere. */
#include "ui/update_inner.h"

#include <stdlib.h>

static long page_step(const struct ui_model *m)
{
    struct ui_rect list, pane;
    ui_model_layout(m, &list, &pane);
    return MAX(list.rows - 2, 1);
}

long update_movement(const struct ui_model *m, uint32_t key)
{
    switch (key) {
    case UI_KEY_UP:
    case 'k':
        return -1;
    case UI_KEY_DOWN:
    case 'j':
        return 1;
    case UI_KEY_PAGE_UP:
    case 0x02: /* ctrl-b */
        return -page_step(m);
    case UI_KEY_PAGE_DOWN:
    case 0x06: /* ctrl-f */
    case ' ':
        return page_step(m);
    case UI_KEY_HOME:
    case 'g':
        return -UPDATE_ENDS;
    case UI_KEY_END:
    case 'G':
        return UPDATE_ENDS;
    }
    return 0;
}

/* What the chosen one leaves open is longer than its part of the window. */
static void explained_scroll(struct ui_model *m, long by)
{
    struct ui_rect list, pane;
    ui_model_layout(m, &list, &pane);
    long rows = (long)list.rows - 2, lines = m->explained ? (long)strv_length(m->explained) : 0;
    rows -= ui_profiles_beside(&list) ? 0 : (long)ui_profiles_rows(m, &list);
    by = update_page_lines(m->explained, m->explained_scroll,
                           by < 0 ? -MAX(rows, 1L) : MAX(rows, 1L), ui_explained_width(&list));
    m->explained_scroll = (size_t)MAX(MIN((long)m->explained_scroll + by, lines - 3), 0L);
}

static void profiles_key(struct ui_model *m, uint32_t key)
{
    long by = update_movement(m, key);
    const char *name = m->profile < m->profiles_count ? m->profiles[m->profile].name : "";
    if (by == 1 || by == -1)
        update_profile_move(m, (int)by);
    else if (by && labs(by) < UPDATE_ENDS)
        explained_scroll(m, by);
    else if (by && m->profiles_count)
        update_profile_move(m, (by < 0 ? 0 : (int)m->profiles_count - 1) - (int)m->profile);
    else if (key == UI_KEY_ENTER || key == 'n')
        update_sheet_open(m, UI_FIELD_COMMAND);
    else if (key == 'i' || key == UI_KEY_RIGHT)
        update_page(m, "every value, and where it comes from",
                    (const char *const[]){"profile", "show", "--resolved", name, NULL});
    else if (key == 'e') {
        autofree char *args = update_args((const char *const[]){"profile", "edit", name, NULL});
        ui_intend(m, UI_INTENT_EDIT, name, args, strlen(args));
    } else if (key == 'K' || key == 'c')
        update_page(m, "what is wrong with it",
                    (const char *const[]){"profile", "check", name, NULL});
    else if (key == UI_KEY_ESC || key == UI_KEY_LEFT)
        m->page = UI_PAGE_LIST;
}

static void host_key(struct ui_model *m, uint32_t key)
{
    if (key == UI_KEY_ESC || key == UI_KEY_LEFT || key == UI_KEY_ENTER)
        m->page = UI_PAGE_LIST;
}

static void graphs_key(struct ui_model *m, uint32_t key)
{
    long by = update_movement(m, key);
    const struct ui_row *r = ui_model_selected(m);
    if (by)
        update_select_move(m, by);
    else if (key == 'i' && r)
        update_details(m, r->id, 0);
    else if (key == UI_KEY_ESC || key == UI_KEY_LEFT || key == UI_KEY_ENTER || key == 't')
        m->page = UI_PAGE_LIST;
}

/* --- everywhere --- */

static bool page_of_all(struct ui_model *m, uint32_t key)
{
    switch (key) {
    case 'I':
        update_images_open(m);
        return true;
    case 'D':
        update_page(m, "doctor", (const char *const[]){"sheet", "doctor", NULL});
        m->text_renewed = true;
        return true;
    case 'E':
        update_page(m, "events", (const char *const[]){"events", NULL});
        return true;
    case 'C':
        update_command_open(m, "compare -- ");
        return true;
    case 'P':
    case 'H':
        if (m->page == UI_PAGE_TEXT)
            update_text_leave(m);
        m->page = key == 'P' ? UI_PAGE_PROFILES : UI_PAGE_HOST;
        if (key == 'P')
            update_profile_move(m, 0);
        else {
            ui_intend(m, UI_INTENT_REFRESH, NULL, NULL, 0);
            ui_intend(m, UI_INTENT_IMAGES, NULL, NULL, 0);
        }
        return true;
    }
    return false;
}

static void mouse_give(struct ui_model *m)
{
    m->mouse_free = !m->mouse_free;
    ui_intend(m, UI_INTENT_MOUSE, NULL, NULL, 0);
    ui_model_message(m, false,
                     m->mouse_free ? "the mouse is the terminal's: select text; m takes it again"
                                   : "the mouse is taken again");
}

static void refresh(struct ui_model *m)
{
    ui_intend(m, UI_INTENT_REFRESH, NULL, NULL, 0);
    if (m->page == UI_PAGE_TEXT && m->text_id)
        update_details(m, m->text_id, m->text_tab);
}

static bool everywhere(struct ui_model *m, uint32_t key)
{
    if (key == 'q' || key == 0x03)
        update_quit(m);
    else if (key == 0x1a) /* ctrl-z */
        ui_intend(m, UI_INTENT_SUSPEND, NULL, NULL, 0);
    else if (key == '?')
        update_help(m, ui_where(m));
    else if (key == ':')
        update_command_open(m, "");
    else if (key == 'm')
        mouse_give(m);
    else if ((key == 'n' || key == 'o') && m->page == UI_PAGE_LIST)
        update_sheet_open(m, key == 'n' ? UI_FIELD_COMMAND : UI_FIELD_FILE);
    else if (key == 'Z')
        update_tasks_ask(m);
    else if (key == 'r' || key == 0x0c)
        refresh(m);
    else
        return page_of_all(m, key);
    return true;
}

/* As htop has them, where the person has not said otherwise. */
static uint32_t function_key(uint32_t key)
{
    static const uint32_t meant[12] = {'?', 'i', '/', '/', 'v', '>', 'p', 's', 'K', 'q'};
    if (key < UI_KEY_F1 || key > UI_KEY_F12)
        return key;
    uint32_t k = meant[key - UI_KEY_F1];
    return k ? k : UI_KEY_UNKNOWN;
}

static bool dialog_key(struct ui_model *m, uint32_t key)
{
    static void (*const by_dialog[])(struct ui_model *, uint32_t) = {
        [UI_DIALOG_CONFIRM] = update_confirm_key, [UI_DIALOG_LAUNCH] = update_sheet_key,
        [UI_DIALOG_FILTER] = update_filter_key,   [UI_DIALOG_COMMAND] = update_command_key,
        [UI_DIALOG_SEARCH] = update_search_key,   [UI_DIALOG_KEEP] = update_keep_key,
    };
    if (m->dialog == UI_DIALOG_NONE)
        return false;
    if (key == 0x03) /* out, as everywhere; the second time it is meant */
        key = m->dialog == UI_DIALOG_CONFIRM && m->asked == UI_INTENT_QUIT ? 'y' : UI_KEY_ESC;
    by_dialog[m->dialog](m, key);
    return true;
}

void ui_update_key(struct ui_model *m, uint32_t key)
{
    static void (*const by_page[UI_PAGE_COUNT])(struct ui_model *, uint32_t) = {
        [UI_PAGE_LIST] = update_list_key,     [UI_PAGE_PROFILES] = profiles_key,
        [UI_PAGE_IMAGES] = update_images_key, [UI_PAGE_HOST] = host_key,
        [UI_PAGE_GRAPHS] = graphs_key,        [UI_PAGE_TEXT] = update_text_key,
    };
    m->dirty = true;
    if (!m->message_bad || key == UI_KEY_ESC)
        ui_model_no_message(m); /* it has been read */
    if (dialog_key(m, key))
        return;
    if (update_tour_key(m, key))
        return;
    key = function_key(ui_bindings_meant(&m->bindings, ui_where(m), key));
    if (!everywhere(m, key))
        by_page[m->page](m, key);
}

/* --- bytes --- */

static void mouse(struct ui_model *m, const char *data, size_t size)
{
    struct ui_mouse at;
    if (ui_mouse_decode(data, size, &at))
        update_mouse(m, &at);
}

static size_t console_bytes(struct ui_model *m, const char *data, size_t size, bool last)
{
    uint32_t key;
    /* The mouse is looked at first: it may be the list's, or another pane's. */
    if (data[0] == 0x1b && size > 2 && data[1] == '[' && data[2] == '<' && !ui_pane(m)->chord) {
        size_t n = ui_key_decode(data, size, last, &key);
        if (n && key == UI_KEY_MOUSE)
            mouse(m, data, n);
        return n;
    }
    if (ui_pane(m)->copy)
        return update_copy_input(m, data, size, last);
    return update_console_input(m, data, size);
}

size_t ui_update_input(struct ui_model *m, const char *data, size_t size, bool last)
{
    size_t used = 0;
    while (used < size) {
        size_t n;
        if (m->focus == UI_FOCUS_CONSOLE && m->dialog == UI_DIALOG_NONE) {
            n = console_bytes(m, data + used, size - used, last);
        } else {
            uint32_t key = UI_KEY_NONE;
            n = ui_key_decode(data + used, size - used, last, &key);
            if (n && key == UI_KEY_MOUSE) {
                mouse(m, data + used, n);
            } else if (n) {
                m->pressed_left = false;
                ui_update_key(m, key);
            }
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
}
