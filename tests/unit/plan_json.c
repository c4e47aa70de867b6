/* The plan as JSON: every member goes both ways, any bytes survive, what is not a plan is refused.
 */
#include "app/plan/fields.h"
#include "tests/unit/unit.h"

static char *copy(const char *s)
{
    return str_dup(s);
}

static struct plan_mount mount_of(unsigned i)
{
    return (struct plan_mount){
        .kind = (enum plan_mount_kind)(i % (PLAN_MOUNT_COPY + 1)),
        .source = i % 2 ? copy("/from\xff") : NULL,
        .target = str_format("/to/%u", i),
        .content = i % 3 ? NULL : copy("a\n\"b\"\\\t"),
        .flags = i % 64,
        .mode = i % 5 ? 0 : 01777,
        .size = i % 4 ? 0 : 1ull << 40,
        .origin = i % 7 ? NULL : copy("contained.ini:9"),
    };
}

/* A plan in which no member is as calloc(3) leaves it. */
static struct plan *full_plan(void)
{
    struct plan *p = NEW(struct plan);
    p->id = copy("0123456789ab");
    p->name = copy("web");
    p->profile = copy("strong");
    p->boundary = PLAN_MICROVM;
    p->runtime = copy("qemu");
    p->image = copy("dir:/x");
    strv_add(&p->argv, "printf");
    strv_add(&p->argv, "\x01\x7f\x80\xff\xc3\xa9 \xed\xa0\x80 \xf4\x8f\xbc\x80 \xf4\x8f\xbf\xbf\n");
    strv_add(&p->argv, "");
    strv_add(&p->env, "A=b");
    p->cwd = copy("/w");
    p->uid = 1;
    p->gid = UINT32_MAX;
    p->groups = mem_zero(2, sizeof(uint32_t));
    p->groups[0] = 7;
    p->groups[1] = 8;
    p->groups_count = 2;
    p->user_name = copy("ann");
    p->kept_groups = copy("4 27");
    p->home = copy("/h");
    p->terminal = true;
    p->umask = 077;
    p->namespaces = PLAN_NS_USER | PLAN_NS_TIME;
    p->map_by = PLAN_MAP_HELPER;
    p->uid_map[0] = (struct plan_id_map){1, 2, 3};
    p->uid_map[1] = (struct plan_id_map){4, 5, 6};
    p->uid_map_count = 2;
    p->gid_map[0] = (struct plan_id_map){7, 8, UINT32_MAX};
    p->gid_map_count = 1;
    p->mounts_count = 130;
    p->mounts = mem_zero(p->mounts_count, sizeof(p->mounts[0]));
    for (unsigned i = 0; i < p->mounts_count; i++)
        p->mounts[i] = mount_of(i);
    p->read_only = true;
    p->scratch = copy("/s");
    p->capabilities = 1ull | 1ull << 40;
    p->no_new_privileges = true;
    p->seccomp = true;
    p->open = PLAN_OPEN_KEYRING | PLAN_OPEN_PERF;
    p->landlock = PLAN_LANDLOCK_YES;
    p->apparmor = copy("a");
    p->selinux = copy("b");
    p->platform = copy("c");
    p->hostname = copy("host");
    p->sysctls = mem_zero(1, sizeof(p->sysctls[0]));
    p->sysctls[0] = (struct plan_sysctl){copy("user/x"), copy("0")};
    p->sysctls_count = 1;
    p->network = PLAN_NETWORK_HOST;
    p->limits = (struct plan_limits){1, 2, 3, 4, 5, 6, 7, true};
    p->rlimits[0] = (struct plan_rlimit){"core", 0, UINT64_MAX};
    p->rlimits[1] = (struct plan_rlimit){"nofile", 5, INT64_MAX};
    p->rlimits_count = 2;
    p->keep = PLAN_KEEP_ALWAYS;
    p->restart = PLAN_RESTART_ALWAYS;
    p->restart_most = 9;
    p->time_limit_ms = 10;
    p->idle_limit_ms = 11;
    p->stop_signal = 12;
    p->stop_grace_ms = 13;
    p->scrollback = 14;
    p->record = true;
    strv_add(&p->labels, "k=v");
    p->origins[KEY_FILES_IMAGE] = copy("x.ini:1");
    p->origins[KEY_COUNT - 1] = copy("--set");
    return p;
}

/* Bytes of a row: what it is stored in, and the number that counts it. */
static void cover(bool *covered, const struct field *f)
{
    static const size_t sizes[] = {
        [FIELD_TEXT] = sizeof(char *),     [FIELD_TEXTS] = sizeof(char **),
        [FIELD_BOOL] = sizeof(bool),       [FIELD_UINT] = sizeof(unsigned),
        [FIELD_INT] = sizeof(int),         [FIELD_U64] = sizeof(uint64_t),
        [FIELD_WORD] = sizeof(int),        [FIELD_BITS] = sizeof(uint32_t),
        [FIELD_BITS64] = sizeof(uint64_t), [FIELD_RLIMIT] = sizeof(char *),
        [FIELD_IDS] = sizeof(uint32_t *),  [FIELD_OBJECT] = sizeof(struct plan_limits),
        [FIELD_LIST] = sizeof(void *),     [FIELD_ORIGINS] = sizeof(char *) * KEY_COUNT,
    };
    size_t size = f->type == FIELD_LIST && f->most          ? f->size * f->most
                  : f->at == offsetof(struct plan, machine) ? sizeof(struct plan_machine)
                                                            : sizes[f->type];
    memset(covered + f->at, 1, size);
    if (f->type == FIELD_LIST || f->type == FIELD_IDS)
        memset(covered + f->count, 1, sizeof(size_t));
}

/* A member that is in no row would get lost on the way: only padding may be uncovered. */
static void test_no_member_forgotten(void **state)
{
    static bool covered[sizeof(struct plan)];
    for (const struct field *f = plan_fields; f->name; f++)
        cover(covered, f);
    for (size_t i = 0; i < sizeof(covered);) {
        size_t gap = 0;
        while (i + gap < sizeof(covered) && !covered[i + gap])
            gap++;
        /* Padding ends at an aligned place and is shorter than the alignment. */
        if (gap)
            assert_true(gap < 8 && (i + gap) % 4 == 0 && (gap < 4 || (i + gap) % 8 == 0));
        i += gap + 1;
    }
}

static void test_round_trip(void **state)
{
    struct plan *p = full_plan(), *again = NULL;
    struct error e;
    for (int pretty = 0; pretty < 2; pretty++) {
        autofree char *json = plan_to_json(p, pretty);
        assert_int_equal(plan_from_json(json, strlen(json), &again, &e), 0);
        autofree char *second = plan_to_json(again, pretty);
        assert_string_equal(json, second);
        for (size_t i = 0; p->argv[i]; i++)
            assert_string_equal(p->argv[i], again->argv[i]);
        assert_null(again->argv[3]);
        assert_string_equal(again->mounts[1].source, "/from\xff");
        assert_null(again->mounts[2].source);
        assert_string_equal(again->mounts[3].content, "a\n\"b\"\\\t");
        assert_true(again->rlimits[0].hard == UINT64_MAX);
        assert_true(again->rlimits[1].hard == INT64_MAX);
        assert_int_equal(again->capabilities >> 40, 1);
        assert_int_equal(again->gid, UINT32_MAX);
        assert_int_equal(again->groups[1], 8);
        assert_memory_equal(&again->limits, &p->limits, offsetof(struct plan_limits, best_effort));
        assert_string_equal(again->origins[KEY_FILES_IMAGE], "x.ini:1");
        assert_null(again->origins[KEY_FILES_HOME]);
        plan_free(again);
    }
    plan_free(p);
}

/* The plan's JSON with one piece replaced; refused, with nothing made. */
static void refuse(const char *json, const char *piece, const char *by, const char *word)
{
    const char *at = strstr(json, piece);
    assert_non_null(at);
    autofree char *wrong = str_format("%.*s%s%s", (int)(at - json), json, by, at + strlen(piece));
    struct plan *untouched = NULL;
    struct error e;
    assert_int_equal(plan_from_json(wrong, strlen(wrong), &untouched, &e), -EINVAL);
    assert_null(untouched);
    if (!strstr(e.text, word))
        fail_msg("\"%s\" does not say %s", e.text, word);
}

static void test_refuses(void **state)
{
    struct plan *p = full_plan();
    autofree char *json = plan_to_json(p, false);
    plan_free(p);
    refuse(json, "\"version\":1", "\"version\":2", "version 2");
    refuse(json, "\"version\":1,", "", "version");
    refuse(json, "\"name\":\"web\",", "", "names");
    refuse(json, "\"name\":\"web\"", "\"name\":7", "name");
    refuse(json, "\"name\":\"web\"", "\"name\":\"w\\u0000b\"", "name");
    refuse(json, "\"name\":\"web\"", "\"name\":\"web\",\"name\":\"web\"", "name");
    refuse(json, "\"boundary\":\"microvm\"", "\"boundary\":\"cage\"", "boundary");
    refuse(json, "\"uid\":1,", "\"uid\":-1,", "uid");
    refuse(json, "\"uid\":1,", "\"uid\":4294967296,", "uid");
    refuse(json, "\"uid\":1,", "\"uid\":1.0,", "uid");
    refuse(json, "\"uid\":1,", "", "uid");
    refuse(json, "\"terminal\":true", "\"terminal\":1", "terminal");
    refuse(json, "\"keyring\"", "\"keys\"", "open");
    refuse(json, "\"target\":\"/to/0\"", "\"target\":\"to\"", "mounts[0]");
    refuse(json, "\"target\":\"/to/0\"", "\"target\":\"/to/0\",\"more\":1", "mounts[0]");
    refuse(json, "\"inside\":7", "\"inside\":-7", "gid_map[0]");
    refuse(json, "\"seccomp\":true", "\"seccomp\":true,\"extra\":0", "nobody knows");
    refuse(json, "\"core\"", "\"cores\"", "rlimits[0]");
    refuse(json, "\"files.image\"", "\"files.picture\"", "origins");
    refuse(json, "\"argv\":[", "\"argv\":[],\"argv\":[", "twice");
    refuse(json, "]", "", "wrong value");
    refuse(json, "\"name\":\"web\"", "\"name\":\"\\ud800\"", "name");
    refuse(json, "\"name\":\"web\"", "\"name\":\"\xff\"", "name");
    refuse(json, "\"name\":\"web\"", "\"name\":\"\t\"", "name");
    refuse(json, "\"name\":\"web\"", "\"name\":\"\xf4\x8f\xbc\x80\"", "name"); /* byte 0 */
    refuse(json, "\"gid\":4294967295", "\"gid\":042", "gid");
    refuse(json, "\"gid\":4294967295", "\"gid\":18446744073709551617", "gid");
    autofree char *more = str_format("%s }", json);
    refuse(more, " }", " {", "more than");
}

static void test_cut_off(void **state)
{
    struct plan *p = full_plan();
    autofree char *json = plan_to_json(p, false);
    plan_free(p);
    size_t size = strlen(json);
    for (size_t cut = 0; cut < size; cut += 1 + size / 997) {
        struct plan *untouched = NULL;
        struct error e;
        assert_int_equal(plan_from_json(json, cut, &untouched, &e), -EINVAL);
        assert_null(untouched);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_member_forgotten),
        cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_cut_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
