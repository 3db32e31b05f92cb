/* A software stand-in for libedgetpu, for tests only: it takes over the nodes named `edgetpu-custom-op` in
 * Coral's real compiled models, through the runtimes' real load_delegate, and answers with the bytes of the file
 * that SOFTWARE_EDGETPU_ANSWER names. SOFTWARE_EDGETPU_REFUSE=1 makes it fail to load, as an absent device does.
 *
 * Struct prefixes as in tensorflow/lite/core/c/common.h; TensorFlow's wheel ships no TFLite C headers.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { int size; int data[]; } IntArray;
typedef struct { void *type_and_pad; void *data; IntArray *dims; float scale; int32_t zero_point; int allocation;
                 size_t bytes; void *rest[7]; int64_t tail; } Tensor;
_Static_assert(offsetof(Tensor, bytes) == 40, "layout of TfLiteTensor");
_Static_assert(sizeof(Tensor) == 112, "size of TfLiteTensor");
typedef struct { IntArray *inputs, *outputs; } Node;
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
    void *impl, *resize, *report, *add_tensors;
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

static int kernel_prepare(Context *context, Node *node) { (void)context; (void)node; return 0; }

static int kernel_invoke(Context *context, Node *node) {
    Tensor *output = &context->tensors[node->outputs->data[0]];
    const char *path = getenv("SOFTWARE_EDGETPU_ANSWER");
    FILE *file = path ? fopen(path, "rb") : NULL;
    if (!file) return 1;
    size_t got = fread(output->data, 1, output->bytes, file);
    fclose(file);
    return got == output->bytes ? 0 : 1;
}

static int prepare(Context *context, Delegate *delegate) {
    IntArray *plan;
    if (context->execution_plan(context, &plan)) return 1;
    IntArray *mine = malloc(sizeof(int) * (size_t)(plan->size + 1));
    mine->size = 0;
    for (int i = 0; i < plan->size; i++) {
        Node *node;
        Registration *registration;
        if (context->node_and_registration(context, plan->data[i], &node, &registration)) return 1;
        if (registration->custom_name && !strcmp(registration->custom_name, "edgetpu-custom-op"))
            mine->data[mine->size++] = plan->data[i];
    }
    Registration kernel = {0};
    kernel.prepare = kernel_prepare;
    kernel.invoke = kernel_invoke;
    kernel.custom_name = "software-edgetpu";
    kernel.version = 1;
    int status = context->replace(context, kernel, mine, delegate);
    free(mine);
    return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
    (void)keys; (void)values; (void)count;
    if (getenv("SOFTWARE_EDGETPU_REFUSE")) {
        report("no device (software stand-in told to refuse)");
        return NULL;
    }
    Delegate *delegate = calloc(1, sizeof *delegate);
    delegate->prepare = prepare;
    delegate->flags = 1; /* dynamic tensors allowed: else the runtime prepares the custom operator itself */
    return delegate;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) { free(delegate); }
