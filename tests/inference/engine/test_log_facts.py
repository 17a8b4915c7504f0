"""The engine's log, read: lines as llama.cpp 0c1e57098 writes them."""

from app.inference.engine import llama

CPU = [
    "load_tensors: loading model tensors, this can take a while... (load_mode = mmap)",
    "load_tensors:   CPU_Mapped model buffer size =   235.16 MiB",
    "llama_context: flash_attn            = auto",
    "llama_kv_cache:        CPU KV buffer size =    12.00 MiB",
    "llama_kv_cache:        CPU KV buffer size =    60.00 MiB",
    "resolve_fused_ops: Flash Attention enabled",
    "sched_reserve:        CPU compute buffer size =    25.77 MiB",
]
CUDA = [
    "llama_prepare_model_devices: using device CUDA0 (NVIDIA GeForce RTX 4060 Ti) (0000:01:00.0) - 15043 MiB free",
    "load_tensors: offloading 32 repeating layers to GPU",
    "load_tensors: offloaded 33/33 layers to GPU",
    "load_tensors:   CPU_REPACK model buffer size =  4403.49 MiB",
    "load_tensors:        CUDA0 model buffer size =  4403.50 MiB",
]


def test_buffers_are_added_up() -> None:
    facts = llama.read_load_log(CPU)
    assert facts.kv_bytes == 72 * 1024 * 1024
    assert facts.compute_bytes == int(25.77 * 1024 * 1024)
    assert facts.flash_attention
    assert not facts.is_repacked


def test_the_layout_of_a_matrix_unit_counts_as_repacked() -> None:
    line = "load_tensors:          AMX model buffer size =   213.91 MiB"
    assert llama.read_load_log([*CPU, line]).is_repacked


def test_a_gpu_is_named_and_the_weights_in_its_buffers_are_counted() -> None:
    facts = llama.read_load_log(CUDA)
    assert facts.devices == ("CUDA0 (NVIDIA GeForce RTX 4060 Ti)",)
    assert facts.is_repacked
    assert facts.gpu_bytes == int(4403.5 * (1 << 20))


def test_a_device_without_a_buffer_of_its_own_holds_nothing() -> None:
    line = (
        "llama_prepare_model_devices: using device Vulkan0 (llvmpipe (LLVM 19.1.7, 256 bits)) (unknown id) - 9 MiB free"
    )
    facts = llama.read_load_log([*CPU, line])
    assert (facts.devices, facts.gpu_bytes) == (("Vulkan0 (llvmpipe (LLVM 19.1.7, 256 bits))",), 0)


def test_an_empty_log_gives_defaults() -> None:
    assert llama.read_load_log([]) == llama.LoadLogFacts()
    assert llama.first_error_line([]) == ""
    assert (
        llama.first_error_line(["fine", "error loading model: bad magic", "other"]) == "error loading model: bad magic"
    )
