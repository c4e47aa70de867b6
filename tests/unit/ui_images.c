/* The page of images: order, filter, marks, what is asked for. */
#include "tests/unit/ui_kit.h"

#include <string.h>

static struct ui_image image(const char *name, uint64_t size, uint64_t own)
{
    return (struct ui_image){.name = str_dup(name),
                             .digest = str_format("%064d", (int)size),
                             .architecture = str_dup("amd64"),
                             .created = str_dup(""),
                             .size = size,
                             .own = own,
                             .layers = 2};
}

static void list(struct ui_model *m, const char *last)
{
    struct ui_images news = {.known = true, .count = 3, .bytes = 600};
    news.list = mem_zero(3, sizeof(*news.list));
    news.list[0] = image("web:1", 100, 50);
    news.list[1] = image("", 300, 300);
    news.list[2] = image(last, 200, 0);
    ui_model_images(m, &news);
}

static void images_begin(struct ui_model *m)
{
    ui_begin(m);
    ui_type(m, "I");
    assert_intent(m, UI_INTENT_IMAGES, NULL, NULL);
}

static void test_order_and_filter(void **state)
{
    struct ui_model m;
    images_begin(&m);
    list(&m, "base:1");
    assert_int_equal(m.images.shown_count, 3);
    assert_string_equal(ui_image_chosen(&m)->name, ""); /* "-" comes first */
    ui_type(&m, "jj");
    assert_string_equal(ui_image_chosen(&m)->name, "web:1");
    ui_type(&m, ">>>>"); /* by size: what is chosen stays chosen */
    assert_int_equal(m.images.sort, UI_IMAGE_SIZE);
    assert_string_equal(ui_image_chosen(&m)->name, "web:1");
    assert_int_equal(m.images.at, 2);
    ui_type(&m, "-");
    assert_int_equal(m.images.at, 0);
    ui_type(&m, "/!web\r");
    assert_int_equal(m.images.shown_count, 2);
    ui_type(&m, "/\x15~^b.*1$\r");
    assert_int_equal(m.images.shown_count, 1);
    assert_string_equal(ui_image_chosen(&m)->name, "base:1");
    assert_string_equal(m.filter.text, ""); /* that of the workloads is another one */
    ui_type(&m, "\x1b");
    assert_int_equal(m.images.shown_count, 3);
    ui_model_done(&m);
}

static void test_marks_outlive_a_new_list(void **state)
{
    struct ui_model m;
    images_begin(&m);
    list(&m, "base:1");
    ui_type(&m, "jj "); /* web */
    list(&m, "base:2");
    assert_string_equal(ui_image_chosen(&m)->name, "web:1");
    assert_true(ui_image_chosen(&m)->marked);
    ui_type(&m, "k X");
    assert_non_null(strstr(m.question, "Remove web:1, base:2? At least 50 B go."));
    ui_type(&m, "y");
    assert_verb(&m, "image rm web:1 base:2");
    ui_type(&m, "w\r"); /* of all marked; in a path without the signs of paths */
    assert_verb(&m, "image export web:1 ./web-1.tar");
    assert_intent(&m, UI_INTENT_DO, NULL, NULL);
    ui_type(&m, "Un");
    assert_int_equal(m.dialog, UI_DIALOG_NONE); /* the profiles are not known yet */
    ui_type(&m, "\x1b");
    assert_int_equal(m.page, UI_PAGE_LIST);
    ui_model_done(&m);
}

static void test_none_and_broken(void **state)
{
    struct ui_model m;
    images_begin(&m);
    ui_type(&m, "XvwTnih jkgG*U<>-"); /* nothing is there */
    ui_type(&m, "\x1b[<0;5;5M");
    assert_no_intent(&m);
    struct ui_images failed = {.failed = str_dup("no such store"),
                               .list = mem_zero(1, sizeof(struct ui_image))};
    ui_model_images(&m, &failed);
    assert_false(m.images.known);
    ui_type(&m, "Xv");
    assert_no_intent(&m);
    ui_model_done(&m);
}

/* A question names whole names, and says of how many more. */
static void test_many_are_removed(void **state)
{
    enum { MANY = 40 };
    struct ui_model m;
    images_begin(&m);
    struct ui_images news = {.known = true, .count = MANY};
    news.list = mem_zero(MANY, sizeof(*news.list));
    for (int i = 0; i < MANY; i++) {
        autofree char *name = str_format("image-\u00e9-%02d:1", i);
        news.list[i] = image(name, (uint64_t)i + 1, 1);
    }
    ui_model_images(&m, &news);
    ui_type(&m, "*/-07\rX"); /* marked beyond the filter too */
    assert_non_null(strstr(m.question, "Remove these 40 images (image-\u00e9-00:1, "));
    assert_non_null(strstr(m.question, ":1 and 27 more)? "));
    ui_type(&m, "nU");
    ui_type(&m, "X");
    assert_non_null(strstr(m.question, "Remove image-\u00e9-07:1? "));
    ui_model_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_filter),
        cmocka_unit_test(test_marks_outlive_a_new_list),
        cmocka_unit_test(test_none_and_broken),
        cmocka_unit_test(test_many_are_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
