/* A software replacement for libedgetpu, never chosen by default. Loaded through the runtimes' real load_delegate, it
 * takes over the `edgetpu-custom-op` nodes of compiled models, and looks up the answers of the model's CPU version in
 * a table. edge/fakes/software_edgetpu.py builds it and writes its two files, script and table, to the folder that
 * the environment variable FIELDFARE_SOFTWARE_EDGETPU names. software_edgetpu_files.h describes both files.
 *
 * The structs repeat the first fields of those in tensorflow/lite/core/c/common.h, because TensorFlow's wheel ships no
 * TFLite C headers.
 */
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "software_edgetpu_files.h"

typedef struct { int size; int data[]; } IntArray;
typedef struct { int type; void *data; IntArray *dims; float scale; int32_t zero_point; int allocation; size_t bytes;
                 void *rest[7]; int64_t tail; } Tensor;
#if UINTPTR_MAX == UINT64_MAX
_Static_assert(offsetof(Tensor, bytes) == 40, "layout of TfLiteTensor");
_Static_assert(sizeof(Tensor) == 112, "size of TfLiteTensor");
#endif
typedef struct { IntArray *inputs, *outputs, *intermediates, *temporaries; void *user_data; } Node;
typedef struct Context Context;
typedef struct {
    void *(*init)(Context *, const char *, size_t);
    void (*free)(Context *, void *);
    int (*prepare)(Context *, Node *);
    int (*invoke)(Context *, Node *);
    const char *(*profiling)(const Context *, const Node *);
    int32_t builtin_code;
    const char *custom_name;
    int version;
    void *later_fields[8];
} Registration;
typedef struct Delegate Delegate;
struct Context {
    size_t tensors_size;
    int (*execution_plan)(Context *, IntArray **);
    Tensor *tensors;
    void *impl, *resize;
    void (*report)(Context *, const char *, ...);
    void *add_tensors;
    int (*node_and_registration)(Context *, int, Node **, Registration **);
    int (*replace)(Context *, Registration, const IntArray *, Delegate *);
};
struct Delegate {
    void *data;
    int (*prepare)(Context *, Delegate *);
    void *from_buffer, *to_buffer, *free_buffer;
    int64_t flags;
    void *builder;
};
typedef struct { Delegate *delegate; IntArray *nodes, *inputs, *outputs; } DelegateParams;

enum { FLOAT32 = 1, READ_ONLY = 1, DYNAMIC_TENSORS_ALLOWED = 1 }; /* kTfLiteFloat32, kTfLiteMmapRo, flags */
typedef struct { char device[NAME_SIZE]; uint64_t plug, inferences; int lost; } Tpu; /* one delegate */
typedef struct { Tpu *tpu; char *last; size_t bytes; int answered; } Kernel;         /* one node of a model */

/* Linux wakes a thread up to 50 us late (timer slack) unless this is set lower, and later still if its core must wake
 * first, as in a virtual machine. Hardware is not late, so the last AWAKE_NS are spent in a busy loop. */
enum { AWAKE_NS = 150000 };

static void wait_until(int64_t deadline_ns) {
    struct timespec nearly = {(deadline_ns - AWAKE_NS) / 1000000000, (deadline_ns - AWAKE_NS) % 1000000000};
    int slack = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &nearly, NULL)) continue;
    if (slack > 0) prctl(PR_SET_TIMERSLACK, (unsigned long)slack, 0, 0, 0);
    while (now_ns() < deadline_ns) continue;
}

/* ---- answers ---- */

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 32)) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
    return x ^ (x >> 32);
}

/* The same as hash_tensor of software_edgetpu.py; a test compares the two. */
uint64_t software_edgetpu_hash(const char *data, size_t size) {
    uint64_t hash = mix(size);
    for (size_t i = 0; i < size; i += 8) {
        uint64_t word = 0;
        memcpy(&word, data + i, size - i < 8 ? size - i : 8);
        hash += mix(word + (i / 8 + 1) * UINT64_C(0x9E3779B97F4A7C15));
    }
    return hash;
}

/* Return the answer to a hash, or NULL. Called with the lock held. */
static const char *find_answer(uint64_t hash, int unknown) {
    uint64_t low = 0, high = table.count;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (table.hashes[middle] < hash) low = middle + 1;
        else high = middle;
    }
    if (low < table.count && table.hashes[low] == hash) return table.answers + low * table.answer_bytes;
    if (unknown == UNKNOWN_PICK && table.count) return table.answers + (hash % table.count) * table.answer_bytes;
    return unknown == UNKNOWN_DEFAULT ? table.fallback : NULL;
}

static void fill_garbage(char *out, size_t bytes) {
    static uint64_t state; /* without a lock: a race makes it no less random */
    for (size_t i = 0; i < bytes; i++) out[i] = (char)(state = mix(state + (uint64_t)now_ns() + i));
}

static size_t output_bytes(const Context *context, const Node *node) {
    size_t bytes = 0;
    for (int i = 0; i < node->outputs->size; i++) bytes += context->tensors[node->outputs->data[i]].bytes;
    return bytes;
}

/* Look up the right answer by the node's first input that is not a constant (the other inputs of a recurrent network
 * are its state). Return 0, or 1 after a report. */
static int look_up(Context *context, const Node *node, int unknown, char *out, size_t bytes) {
    const Tensor *input = NULL;
    char problem[PROBLEM_SIZE] = "";
    for (int i = 0; i < node->inputs->size && !input; i++) {
        const Tensor *tensor = &context->tensors[node->inputs->data[i]];
        if (tensor->allocation != READ_ONLY) input = tensor;
    }
    if (!input || !input->data) return context->report(context, "software Edge TPU: no input"), 1;
    uint64_t hash = software_edgetpu_hash(input->data, input->bytes);
    pthread_mutex_lock(&lock);
    const char *answer = table.problem[0] ? NULL : find_answer(hash, unknown);
    if (table.problem[0]) snprintf(problem, sizeof problem, "%s", table.problem);
    else if (!answer) snprintf(problem, sizeof problem, "no answer to input %016llx", (unsigned long long)hash);
    else if (table.answer_bytes != bytes)
        snprintf(problem, sizeof problem, "the table's answers have %llu bytes, the model's %llu",
                 (unsigned long long)table.answer_bytes, (unsigned long long)bytes);
    else memcpy(out, answer, bytes);
    pthread_mutex_unlock(&lock);
    return problem[0] ? context->report(context, "software Edge TPU: %s", problem), 1 : 0;
}

/* ---- faults ---- */

static void strike(const Script *now) {
    static int *volatile nowhere = NULL;
    if (now->mode == ABORT) abort();
    if (now->mode == SEGFAULT) *nowhere = 0;
    if (now->mode == HANG && now->seconds) wait_until(now_ns() + (int64_t)now->seconds * 1000000000);
    while (now->mode == HANG && !now->seconds) pause();
}

static int is_plugged(const Script *now, const char *device) {
    for (int i = 0; i < now->devices; i++)
        if (!strcmp(now->device[i], device)) return now->mode != ABSENT;
    return 0;
}

/* ---- one node ---- */

static void *kernel_init(Context *context, const char *buffer, size_t length) {
    const DelegateParams *params = (const void *)buffer; /* delegates' kernels receive this instead of bytes */
    Kernel *kernel = calloc(1, sizeof *kernel);
    (void)context; (void)length;
    if (kernel) kernel->tpu = params->delegate->data;
    return kernel;
}

static void kernel_free(Context *context, void *data) {
    Kernel *kernel = data;
    (void)context;
    if (kernel) free(kernel->last);
    free(kernel);
}

static int kernel_prepare(Context *context, Node *node) {
    Kernel *kernel = node->user_data;
    if (!kernel) return 1;
    free(kernel->last);
    kernel->bytes = output_bytes(context, node);
    kernel->answered = 0;
    kernel->last = malloc(kernel->bytes + 1);
    return kernel->last ? 0 : 1;
}

/* Fill `kernel->last` with the device's next answer. Return 0, or 1 after a report. */
static int answer(Context *context, const Node *node, Kernel *kernel, const Script *now, int mode) {
    const Tensor *first = &context->tensors[node->outputs->data[0]];
    if (mode == ERROR) return context->report(context, "software Edge TPU: fails, by its script"), 1;
    if (mode == UNWRITTEN || (mode == STALE && kernel->answered)) return 0;
    kernel->answered = 1;
    if (mode == NAN_ && first->type == FLOAT32) memset(kernel->last, 0xFF, kernel->bytes);
    else if (mode == GARBAGE || mode == NAN_) fill_garbage(kernel->last, kernel->bytes);
    else if (mode == CONSTANT) memset(kernel->last, (int)now->value, kernel->bytes);
    else return look_up(context, node, now->unknown, kernel->last, kernel->bytes);
    return 0;
}

static int kernel_invoke(Context *context, Node *node) {
    int64_t started = now_ns();
    Kernel *kernel = node->user_data;
    Tpu *tpu = kernel->tpu;
    pthread_mutex_lock(&lock);
    refresh(0);
    Script now = script;
    pthread_mutex_unlock(&lock);
    if (now.problem[0]) return context->report(context, "software Edge TPU: %s", now.problem), 1;
    if (kernel->bytes != output_bytes(context, node)) return context->report(context, "outputs have changed"), 1;
    int mode = tpu->inferences++ >= now.after ? now.mode : OK;
    tpu->lost |= mode == ABSENT || now.plug != tpu->plug || (now.mode != ABSENT && !is_plugged(&now, tpu->device));
    if (tpu->lost) return context->report(context, "software Edge TPU: %s is gone", tpu->device), 1;
    if (now.at == AT_INVOKE && mode == now.mode) strike(&now);
    int failed = answer(context, node, kernel, &now, mode);
    if (now.time_us) wait_until(started + (int64_t)now.time_us * 1000);
    size_t offset = 0;
    for (int i = 0; !failed && mode != UNWRITTEN && i < node->outputs->size; i++) {
        Tensor *output = &context->tensors[node->outputs->data[i]];
        memcpy(output->data, kernel->last + offset, output->bytes);
        offset += output->bytes;
    }
    return failed;
}

/* ---- the delegate ---- */

static int prepare(Context *context, Delegate *delegate) {
    IntArray *plan;
    if (context->execution_plan(context, &plan)) return 1;
    IntArray *mine = malloc(sizeof(int) * (size_t)(plan->size + 1));
    if (!mine) return 1;
    mine->size = 0;
    for (int i = 0; i < plan->size; i++) {
        Node *node;
        Registration *registration;
        if (context->node_and_registration(context, plan->data[i], &node, &registration)) return free(mine), 1;
        if (registration->custom_name && !strcmp(registration->custom_name, "edgetpu-custom-op"))
            mine->data[mine->size++] = plan->data[i];
    }
    Registration kernel = {0};
    kernel.init = kernel_init;
    kernel.free = kernel_free;
    kernel.prepare = kernel_prepare;
    kernel.invoke = kernel_invoke;
    kernel.custom_name = "software-edgetpu";
    kernel.version = 1;
    int status = context->replace(context, kernel, mine, delegate);
    free(mine);
    return status;
}

/* Choose as libedgetpu does: "" any, "usb" or "pci" the first of its kind, ":N" the Nth of all, "usb:N", "pci:N". */
static const char *choose_device(const Script *now, const char *wanted) {
    int any_of_kind = !*wanted || !strcmp(wanted, "usb") || !strcmp(wanted, "pci");
    uint64_t index;
    if (*wanted == ':')
        return read_number(wanted + 1, 99, &index) && index < (uint64_t)now->devices ? now->device[index] : NULL;
    for (int i = 0; i < now->devices; i++)
        if (!strcmp(now->device[i], wanted) || (any_of_kind && !strncmp(now->device[i], wanted, strlen(wanted))))
            return now->device[i];
    return NULL;
}

/* Return NULL if the options are valid, else the name of the first unknown one. */
static const char *check_options(char **keys, char **values, size_t count, const char **device) {
    static const char *const KNOWN[] = {"device", "Performance", "Usb.AlwaysDfu", "Usb.MaxBulkInQueueLength"};
    static const char ANY[NAME_SIZE];
    int which;
    *device = ANY;
    for (size_t i = 0; i < count; i++) {
        if (!read_name(keys[i], KNOWN, 4, &which)) return keys[i];
        if (which == 0) *device = values[i];
    }
    return NULL;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    char problem[2 * PROBLEM_SIZE] = "";
    const char *wanted, *bad_option = check_options(keys, values, count, &wanted);
    pthread_mutex_lock(&lock);
    refresh(1);
    Script now = script;
    if (table.problem[0]) snprintf(problem, sizeof problem, "software Edge TPU: %s", table.problem);
    pthread_mutex_unlock(&lock);
    if (!now.problem[0] && now.at == AT_LOAD) strike(&now);
    const char *device = choose_device(&now, wanted);
    if (now.problem[0]) snprintf(problem, sizeof problem, "software Edge TPU: %s", now.problem);
    else if (bad_option) snprintf(problem, sizeof problem, "software Edge TPU: unknown option '%.60s'", bad_option);
    else if (now.mode == REFUSE) snprintf(problem, sizeof problem, "software Edge TPU: refuses, by its script");
    else if (now.mode == ABSENT || !device)
        snprintf(problem, sizeof problem, "software Edge TPU: no device '%.60s' is plugged in", wanted);
    make_printable(problem);
    Delegate *delegate = problem[0] ? NULL : calloc(1, sizeof *delegate);
    Tpu *tpu = delegate ? calloc(1, sizeof *tpu) : NULL;
    if (!tpu) {
        if (report) report(problem[0] ? problem : "software Edge TPU: no memory");
        free(delegate);
        return NULL;
    }
    snprintf(tpu->device, NAME_SIZE, "%s", device);
    tpu->plug = now.plug;
    delegate->data = tpu;
    delegate->prepare = prepare;
    delegate->flags = DYNAMIC_TENSORS_ALLOWED; /* else the runtime prepares the custom operator itself, and fails */
    return delegate;
}

/* The same words as libedgetpu's, of which 14 is the last runtime version. */
const char *edgetpu_version(void) { return "BuildLabel(software Edge TPU), RuntimeVersion(14)"; }

void tflite_plugin_destroy_delegate(Delegate *delegate) {
    if (delegate) free(delegate->data);
    free(delegate);
}
