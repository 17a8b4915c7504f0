"""Share the frozen base over the processes of a run, so that a card holds only a part of each matrix (FSDP).

`accelerate launch` with a configuration of the type FSDP asks for it. Only the base is shared out, by torch's
`fully_shard`; the LoRA matrices and their optimizer are small and stay whole in each process, and the loop averages
their gradients. So checkpoints and adapters are the same files for any number of processes.

accelerate itself would share out the LoRA matrices too, and on a processor nothing at all. Each process first loads the
whole base into the computer's memory. It has never run on several cards; two processes on a processor go through the
same code.
"""

import os
from typing import Any

_ACCELERATE, _SHARDS = "ACCELERATE_USE_FSDP", "KOTAE_SHARDS_BASE"


def take_over() -> None:
    """Take accelerate's request for FSDP over from it. Call this before accelerate is imported."""
    if os.environ.pop(_ACCELERATE, "").lower() == "true":
        os.environ[_SHARDS] = "1"


def is_wanted() -> bool:
    """Return whether the base is shared over several processes."""
    return _SHARDS in os.environ and int(os.environ.get("WORLD_SIZE", "1")) > 1


def shard_base(adapted: Any, device: str, place: int | str) -> None:
    """Move the model, layer by layer, from the computer's memory to this process's device, and keep only its part.

    `device`: the spec's. `place`: the device of this process, to which the LoRA matrices are moved whole.
    """
    import torch
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device, (torch.distributed.get_world_size(),))
    whole = {parameter for parameter in adapted.parameters() if parameter.requires_grad}
    for parameter in whole:
        parameter.data = parameter.data.to(place)
    for module in adapted.modules():
        state = getattr(module, "quant_state", None)  # of 4-bit matrices: their constants are not shared out
        if state is not None:
            state.to(torch.device(device, place) if device == "cuda" else torch.device(device))
            module.support_avx512bf16_for_cpu = False  # bitsandbytes would repack a matrix of which it has only a part
    layers = set(adapted.base_model.model._no_split_modules or ())
    for module in list(adapted.modules()):
        if type(module).__name__ in layers:
            fully_shard(module, mesh=mesh, ignored_params=whole)
    fully_shard(adapted, mesh=mesh, ignored_params=whole, reshard_after_forward=True)
    register_fsdp_forward_method(adapted, "generate")
    adapted.base_model.model.hf_device_map = {"": place}  # accelerate refuses 4-bit weights loaded elsewhere
