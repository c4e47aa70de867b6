/* Control groups as this machine has them: real folders where we may make some, /proc where not. */
#include "backends/cgroup/internal.h"
#include "backends/launch.h"
#include "base/file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const char test_id[] = "00c0ffee0001";

struct journal {
    char *line; /* owned */
    int count;
};

static int journal_line(void *data, const char *kind, const char *what, struct error *e)
{
    struct journal *j = data;
    assert_string_equal(kind, "cgroup");
    free(j->line);
    j->line = str_dup(what);
    j->count++;
    return 0;
}

/* A child that joins `c`, waits at a pipe, then works and waits for its end. */
static pid_t child_start(const struct cgroup *c, int *ret_gate)
{
    int gate[2];
    assert_int_equal(fd_pipe(gate, 0), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        char go;
        int joins[CGROUP_JOINS_MAX];
        fd_close(gate[1]);
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* of a test that has failed nothing is left */
        for (size_t i = cgroup_joins(c, joins, CGROUP_JOINS_MAX); i > 0; i--)
            if (write(joins[i - 1], "0", 1) != 1)
                _exit(1);
        while (read(gate[0], &go, 1) == 1) {
            if (go == 'f') /* gives birth, until it is ended */
                execl("/bin/sh", "sh", "-c", "while :; do /bin/true; done", NULL);
            char *p =
                mmap(NULL, 8 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
            memset(p, 1, 8 << 20);
            for (volatile unsigned i = 0; i < 30000000; i++)
                ;
            kill(getppid(), SIGUSR1);
        }
        for (;;)
            pause();
    }
    fd_close(gate[0]);
    if (cgroup_clone_fd(c) >= 0) { /* here after the fact, not by CLONE_INTO_CGROUP */
        char text[16];
        snprintf(text, sizeof(text), "%d", (int)pid);
        assert_int_equal(file_put(cgroup_clone_fd(c), "cgroup.procs", text), 0);
    }
    *ret_gate = gate[1];
    return pid;
}

static void child_work(int gate)
{
    sigset_t set;
    int signo;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    assert_int_equal(write(gate, "x", 1), 1);
    sigwait(&set, &signo);
}

static struct plan test_plan(bool best_effort)
{
    return (struct plan){
        .id = (char *)test_id,
        .limits = {.memory = 256 << 20, .pids = 17, .cpu_milli = 2000, .best_effort = best_effort},
    };
}

/* The v1 freezer passes over who is being born when it is told. */
static void stands_still_whoever_is_born(void **state)
{
    enum { PARENTS = 9, TIMES = 60 };
    struct journal j = {0};
    struct plan p = test_plan(true);
    p.limits.pids = 4 * PARENTS;
    struct cgroup_wish w = {.plan = &p, .journal = journal_line, .journal_data = &j};
    struct cgroup *c = NULL;
    struct error e = {0};
    pid_t pids[PARENTS];
    int gates[PARENTS], status;
    assert_int_equal(cgroup_make(&w, &c, &e), 0);
    bool can = cgroup_mode(c) != PLAN_CGROUP_NONE;
    for (size_t i = 0; can && i < PARENTS; i++) {
        pids[i] = child_start(c, &gates[i]);
        assert_int_equal(write(gates[i], "f", 1), 1);
    }
    if (can)
        cgroup_keep(c, pids[0]);
    for (int n = 0; can && n < TIMES; n++) {
        struct launch_sample was = {0}, is = {0};
        while (cgroup_sample(c, &is) == 0 && is.cpu_us < was.cpu_us + 3000)
            was = was.cpu_us ? was : is;
        assert_int_equal(cgroup_freeze(c, true, &e), 0);
        assert_int_equal(cgroup_freeze(c, false, &e), 0);
    }
    for (size_t i = 0; can && i < PARENTS; i++) {
        kill(pids[i], SIGKILL);
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        fd_close(gates[i]);
    }
    assert_int_equal(cgroup_clean(c, &e), 0);
    cgroup_free(c);
    free(j.line);
}

static void makes_samples_kills_and_cleans(void **state)
{
    struct journal j = {0};
    struct plan p = test_plan(true);
    struct cgroup_wish w = {.plan = &p, .journal = journal_line, .journal_data = &j};
    struct cgroup *c = NULL;
    struct error e = {0};
    assert_int_equal(cgroup_make(&w, &c, &e), 0);
    /* a scope ends by itself: there is nothing to undo */
    bool undone = cgroup_mode(c) == PLAN_CGROUP_V2 || cgroup_mode(c) == PLAN_CGROUP_V1;
    assert_int_equal(j.count, undone ? 1 : 0);

    int gate, status;
    pid_t pid = child_start(c, &gate);
    cgroup_keep(c, pid);
    child_work(gate);

    struct launch_sample s;
    assert_int_equal(cgroup_sample(c, &s), 0);
    assert_true(s.cpu_us > 1000 && s.cpu_us < 60000000);
    /* a v2 tree without these controllers knows nothing of them */
    bool all = cgroup_mode(c) == PLAN_CGROUP_NONE || c->file[CGROUP_MEMORY_NOW] >= 0;
    if (all)
        assert_true(s.memory_peak >= 8 << 20 && s.memory_peak < 1 << 30);
    else
        assert_true(s.memory_peak == UINT64_MAX && cgroup_shortfalls(c)[0]);
    if (all || c->file[CGROUP_PIDS_NOW] >= 0)
        assert_true(s.pids == 1);

    if (cgroup_mode(c) != PLAN_CGROUP_NONE) {
        assert_int_equal(cgroup_freeze(c, true, &e), 0);
        assert_int_equal(cgroup_freeze(c, false, &e), 0);
        /* while something lives inside, the folder stays */
        if (cgroup_kill(c, &e) < 0)
            kill(pid, SIGKILL);
    } else {
        assert_int_equal(cgroup_freeze(c, true, &e), -EOPNOTSUPP);
        assert_int_equal(cgroup_kill(c, &e), -EOPNOTSUPP);
        assert_int_equal(strv_length(cgroup_shortfalls(c)), 3);
        kill(pid, SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(cgroup_clean(c, &e), 0);
    assert_int_equal(cgroup_clean(c, &e), 0);
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++)
        if (c->v1[i].parent >= 0)
            assert_int_equal(faccessat(c->v1[i].parent, c->name, F_OK, 0), -1);
    cgroup_free(c);
    fd_close(gate);
    free(j.line);
}

static void strict_names_the_limit(void **state)
{
    if (geteuid() == 0) {
        print_message("skip: root can make control groups\n");
        skip();
    }
    struct plan p = test_plan(false);
    struct cgroup_wish w = {.plan = &p};
    struct cgroup *c = NULL;
    struct error e = {0};
    if (cgroup_make(&w, &c, &e) == 0) {
        cgroup_clean(c, &e);
        cgroup_free(c);
        print_message("skip: this user has control groups\n");
        skip();
    }
    assert_int_equal(e.code, EOPNOTSUPP);
    assert_non_null(strstr(e.text, "resources.memory"));
}

static void a_crash_is_undone(void **state)
{
    struct journal j = {0};
    struct plan p = test_plan(true);
    struct cgroup_wish w = {.plan = &p, .journal = journal_line, .journal_data = &j};
    struct cgroup *c = NULL;
    struct error e = {0};
    assert_int_equal(cgroup_make(&w, &c, &e), 0);
    if (!j.line) {
        assert_int_equal(cgroup_clean(c, &e), 0);
        cgroup_free(c);
        print_message("skip: no control group can be made here\n");
        skip();
    }
    int gate, status;
    pid_t pid = child_start(c, &gate);
    assert_int_equal(cgroup_attach(c, pid, &e), 0);
    int kept[CGROUP_V1_COUNT];
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++)
        kept[i] = dup(c->v1[i].parent);
    cgroup_free(c); /* nothing removed: as if we had been killed */

    assert_int_equal(launch_undo("cgroup", j.line, &e), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++) {
        if (kept[i] >= 0)
            assert_int_equal(faccessat(kept[i], CGROUP_PREFIX "00c0ffee0001", F_OK, 0), -1);
        fd_close(kept[i]);
    }
    assert_int_equal(launch_undo("cgroup", j.line, &e), 0);
    fd_close(gate);
    free(j.line);
}

static void undo_takes_only_what_is_ours(void **state)
{
    static const char *const refused[] = {
        "system.slice",
        "/sys/fs/cgroup/user.slice",
        "/sys/fs/cgroup/memory/cofferdam-",
        "/sys/fs/cgroup/memory/cofferdam-00c0ffee000",
        "/sys/fs/cgroup/memory/cofferdam-00C0FFEE0001",
        "/sys/fs/cgroup/a/../cofferdam-00c0ffee0001",
        "/tmp/cofferdam-00c0ffee0001",
        "/sys/fs/cgroup/memory/cofferdam-00c0ffee0001.slice",
    };
    struct error e = {0};
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        assert_int_equal(launch_undo("cgroup", refused[i], &e), -EPERM);
    assert_int_equal(launch_undo("mount", "/home", &e), -EPERM);
    assert_int_equal(launch_undo("mount", "/run/cofferdam/../../home", &e), -EPERM);
    assert_int_equal(launch_undo("ids", "/etc/passwd", &e), -EPERM);
    assert_int_equal(launch_undo("else", "x", &e), -EINVAL);
    assert_int_equal(launch_undo("scope", "cofferdam-00c0ffee0001.scope", &e), 0);
}

/* A made-up v2 folder: what is written where. */
static void v2_limits_are_written(void **state)
{
    char folder[] = "/tmp/cofferdam-test-XXXXXX";
    assert_non_null(mkdtemp(folder));
    autoclose int dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    static const char *const files[] = {"memory.max", "memory.swap.max", "memory.oom.group",
                                        "pids.max", "cpu.max"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        fd_close(openat(dir, files[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0600));

    struct cgroup c = {.v2 = {.dir = dir}};
    struct plan_limits l = {.memory = 1048576, .swap = 4096, .pids = 9, .cpu_milli = 1500};
    struct error e = {0};
    assert_int_equal(cgroup_limits_v2(&c, &l, &e), 0);
    static const char *const want[] = {"1048576", "4096", "1", "9", "150000 100000"};
    for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
        autofree char *text = NULL;
        assert_int_equal(file_read(dir, files[i], 100, &text, NULL), 0);
        assert_string_equal(text, want[i]);
    }
    l.io_weight = 200; /* no such file here */
    assert_int_equal(cgroup_limits_v2(&c, &l, &e), -EOPNOTSUPP);
    assert_non_null(strstr(e.text, "resources.io-weight"));
    l.best_effort = true;
    assert_int_equal(cgroup_limits_v2(&c, &l, &e), 0);
    assert_int_equal(strv_length(c.shortfalls), 1);
    strv_free(c.shortfalls);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder), 0);
}

static void expect_file(int dir, const char *name, const char *want)
{
    autofree char *text = NULL;
    assert_int_equal(file_read(dir, name, 100, &text, NULL), 0);
    assert_string_equal(text, want);
}

/* In a folder like that, on the descriptors of a running workload. v1: all hierarchies are one. */
static void keep_made_up(struct cgroup *c, int dir, enum plan_cgroup mode)
{
    *c = (struct cgroup){.mode = mode, .proc = FD_NONE};
    c->v2.dir = mode == PLAN_CGROUP_V2 ? dir : FD_NONE;
    for (size_t i = 0; i < CGROUP_V1_COUNT; i++) {
        c->v1[i].parent = c->v1[i].dir = c->v1[i].join = FD_NONE;
        if (mode == PLAN_CGROUP_V1)
            c->v1[i].dir = dir;
    }
    for (size_t i = 0; i < CGROUP_FILE_COUNT; i++)
        c->file[i] = FD_NONE;
    cgroup_keep(c, 0);
}

static void drop_made_up(struct cgroup *c)
{
    for (size_t i = 0; i < CGROUP_FILE_COUNT; i++)
        c->file[i] = fd_close(c->file[i]);
}

static int make_folder(char path[static 32])
{
    strcpy(path, "/tmp/cofferdam-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void put_file(int dir, const char *name, const char *text)
{
    assert_int_equal(file_write_whole(dir, name, text, strlen(text), 0600, false), 0);
}

/* Swap was not named, and stays. */
static void update_keeps_swap_on_v1(void **state)
{
    char folder[32];
    autoclose int dir = make_folder(folder);
    put_file(dir, "memory.limit_in_bytes", "67108864");
    put_file(dir, "memory.memsw.limit_in_bytes", "83886080");
    struct cgroup c;
    struct error e = {0};
    const struct plan_limits planned = {0};
    keep_made_up(&c, dir, PLAN_CGROUP_V1);
    struct launch_limits x = {.which = LAUNCH_LIMIT_MEMORY, .memory = 71303168};
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), 0);
    expect_file(dir, "memory.limit_in_bytes", "71303168");
    expect_file(dir, "memory.memsw.limit_in_bytes", "88080384");
    x.memory = 50331648;
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), 0);
    expect_file(dir, "memory.memsw.limit_in_bytes", "67108864");
    drop_made_up(&c);

    put_file(dir, "memory.limit_in_bytes", "9223372036854771712");
    put_file(dir, "memory.memsw.limit_in_bytes", "9223372036854771712");
    keep_made_up(&c, dir, PLAN_CGROUP_V1);
    x.memory = 1234567890123456768; /* as long as what it replaces */
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), 0);
    expect_file(dir, "memory.limit_in_bytes", "1234567890123456768");
    expect_file(dir, "memory.memsw.limit_in_bytes", "9223372036854771712");
    drop_made_up(&c);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder), 0);
}

/* Files in its memory are no reason to refuse; they are taken back before the limit is set. */
static void update_takes_caches_back_on_v2(void **state)
{
    char folder[32];
    autoclose int dir = make_folder(folder);
    put_file(dir, "memory.max", "900000");
    put_file(dir, "memory.high", "800000");
    put_file(dir, "memory.current", "500000");
    put_file(dir, "memory.stat",
             "anon 300000\ninactive_anon 1\ninactive_file 60000\nactive_file 30000\n"
             "slab_reclaimable 20000\nslab 40000\n");
    struct cgroup c;
    struct error e = {0};
    const struct plan_limits planned = {0};
    keep_made_up(&c, dir, PLAN_CGROUP_V2);
    struct launch_limits x = {.which = LAUNCH_LIMIT_MEMORY, .memory = 380000};
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), -EBUSY); /* 390000 is in real use */
    x.memory = 400000; /* it could, but here nobody takes anything back */
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), -EBUSY);
    expect_file(dir, "memory.max", "900000");
    expect_file(dir, "memory.high", "800000");
    drop_made_up(&c);

    /* what is used follows memory.high at once */
    assert_int_equal(unlinkat(dir, "memory.current", 0), 0);
    put_file(dir, "memory.high", "500000");
    assert_int_equal(linkat(dir, "memory.high", dir, "memory.current", 0), 0);
    keep_made_up(&c, dir, PLAN_CGROUP_V2);
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), 0);
    expect_file(dir, "memory.max", "400000");
    expect_file(dir, "memory.high", "500000");
    drop_made_up(&c);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder), 0);
}

/* The file that the start wrote; and why there is none. */
static void update_finds_the_weight(void **state)
{
    static const struct {
        enum plan_cgroup mode;
        const char *file, *want;
    } rows[] = {
        {PLAN_CGROUP_V2, "io.weight",        "5000"},
        {PLAN_CGROUP_V2, "io.bfq.weight",    "1000"},
        {PLAN_CGROUP_V1, "blkio.bfq.weight", "1000"},
        {PLAN_CGROUP_V1, "blkio.weight",     "1000"},
    };
    const struct launch_limits x = {.which = LAUNCH_LIMIT_IO_WEIGHT, .io_weight = 5000};
    struct plan_limits planned = {.io_weight = 100};
    struct cgroup c;
    struct error e = {0};
    char folder[32];
    autoclose int dir = make_folder(folder);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        put_file(dir, rows[i].file, "100");
        keep_made_up(&c, dir, rows[i].mode);
        assert_int_equal(cgroup_update(&c, &planned, &x, &e), 0);
        expect_file(dir, rows[i].file, rows[i].want);
        drop_made_up(&c);
        assert_int_equal(unlinkat(dir, rows[i].file, 0), 0);
    }
    keep_made_up(&c, dir, PLAN_CGROUP_V2);
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), -EOPNOTSUPP);
    assert_non_null(strstr(e.text, "no controller for it"));
    planned.io_weight = 0;
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), -EOPNOTSUPP);
    assert_non_null(strstr(e.text, "was started without"));
    drop_made_up(&c);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder), 0);
}

static void update_changes_all_or_nothing(void **state)
{
    char folder[32];
    autoclose int dir = make_folder(folder);
    static const char *const files[][2] = {
        {"memory.max",     "1048576"      },
        {"memory.current", "500000"       },
        {"pids.max",       "20"           },
        {"cpu.max",        "150000 100000"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(files); i++)
        put_file(dir, files[i][0], files[i][1]);
    struct cgroup c;
    keep_made_up(&c, dir, PLAN_CGROUP_V2);
    const struct plan_limits planned = {.memory = 1048576, .pids = 20};
    struct error e = {0};

    struct launch_limits x = {.which = LAUNCH_LIMIT_MEMORY | LAUNCH_LIMIT_PIDS | LAUNCH_LIMIT_CPUS,
                              .memory = 2097152,
                              .pids = 10,
                              .cpu_milli = 2500};
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), 0);
    expect_file(dir, "memory.max", "2097152");
    expect_file(dir, "pids.max", "10");
    expect_file(dir, "cpu.max", "250000 100000"); /* the period stays, as in the kernel's file */

    x.which |= LAUNCH_LIMIT_IO_WEIGHT; /* nothing weighs it here */
    x.memory = 1500000;
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), -EOPNOTSUPP);
    assert_non_null(strstr(e.text, "io-weight: nothing counts it"));
    x.which = LAUNCH_LIMIT_MEMORY;
    x.memory = 400000; /* less than it uses: the kernel would kill it */
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), -EBUSY);
    x.which = LAUNCH_LIMIT_PIDS;
    x.pids = 21; /* more than each process's own limit */
    assert_int_equal(cgroup_update(&c, &planned, &x, &e), -EOPNOTSUPP);
    assert_non_null(strstr(e.text, "RLIMIT_NPROC"));

    fd_close(c.file[CGROUP_PIDS_MAX]); /* one that can be read and not written */
    c.file[CGROUP_PIDS_MAX] = openat(dir, "pids.max", O_RDONLY | O_CLOEXEC);
    x.which = LAUNCH_LIMIT_MEMORY | LAUNCH_LIMIT_PIDS;
    x.memory = 1500000;
    x.pids = 11;
    assert_true(cgroup_update(&c, &planned, &x, &e) < 0);
    expect_file(dir, "memory.max", "2097152");
    expect_file(dir, "pids.max", "10");
    drop_made_up(&c);
    assert_int_equal(file_remove_tree(AT_FDCWD, folder), 0);
}

static void names(void **state)
{
    assert_true(cgroup_name_is_ours("cofferdam-0123456789ab"));
    assert_true(cgroup_name_is_ours("cofferdam-0123456789ab.scope"));
    assert_false(cgroup_name_is_ours("cofferdam-0123456789abc"));
    assert_false(cgroup_name_is_ours("xcofferdam-0123456789ab"));
    assert_true(cgroup_list_has("cpu memory pids\n", "pids"));
    assert_false(cgroup_list_has("cpu memory pids\n", "pid"));
    assert_false(cgroup_list_has("", "pids"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(v2_limits_are_written),
        cmocka_unit_test(update_changes_all_or_nothing),
        cmocka_unit_test(update_keeps_swap_on_v1),
        cmocka_unit_test(update_takes_caches_back_on_v2),
        cmocka_unit_test(update_finds_the_weight),
        cmocka_unit_test(makes_samples_kills_and_cleans),
        cmocka_unit_test(stands_still_whoever_is_born),
        cmocka_unit_test(strict_names_the_limit),
        cmocka_unit_test(a_crash_is_undone),
        cmocka_unit_test(undo_takes_only_what_is_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
