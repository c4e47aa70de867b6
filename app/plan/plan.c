#include "app/plan/plan.h"

static void plan_mounts_free(struct plan_mount *mounts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(mounts[i].source);
        free(mounts[i].target);
        free(mounts[i].content);
        strv_free(mounts[i].layers);
        free(mounts[i].origin);
    }
    free(mounts);
}

static void plan_machine_done(struct plan_machine *m)
{
    free(m->choice);
    free(m->type);
    free(m->cpu_model);
    free(m->program);
    free(m->jailer);
    free(m->no_jailer);
    free(m->version);
    strv_free(m->files);
    free(m->no_kvm);
    free(m->kernel);
    free(m->no_kernel);
    free(m->release);
    free(m->initramfs);
    free(m->root);
    free(m->root_type);
    free(m->blank);
    free(m->no_blank);
    free(m->virtiofsd);
    free(m->no_virtiofsd);
    strv_free(m->virtiofsd_files);
    free(m->uri);
    strv_free(m->client);
    free(m->folder);
    free(m->sockets);
    free(m->firmware);
    free(m->loader);
    free(m->vars);
    strv_free(m->disks);
    free(m->disk_format);
    strv_free(m->cdroms);
    free(m->card);
    free(m->gpu);
    strv_free(m->devices);
    strv_free(m->no_devices);
    strv_free(m->device_notes);
    free(m->watched);
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    free(p->id);
    free(p->name);
    free(p->profile);
    free(p->runtime);
    free(p->image);
    strv_free(p->argv);
    strv_free(p->env);
    free(p->cwd);
    free(p->groups);
    free(p->kept_groups);
    free(p->user_name);
    free(p->home);
    plan_mounts_free(p->mounts, p->mounts_count);
    free(p->scratch);
    free(p->apparmor);
    free(p->platform);
    free(p->selinux);
    free(p->hostname);
    free(p->snapshot);
    free(p->snapshot_path);
    free(p->machine.warmed);
    for (size_t i = 0; i < p->sysctls_count; i++) {
        free(p->sysctls[i].path);
        free(p->sysctls[i].value);
    }
    free(p->sysctls);
    plan_machine_done(&p->machine);
    free(p->detach_keys);
    strv_free(p->labels);
    for (size_t i = 0; i < KEY_COUNT; i++)
        free(p->origins[i]);
    free(p);
}
