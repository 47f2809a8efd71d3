"""The command `blended export`: the policy of a run as one ONNX file.

Room: `experiments.training`. Needs the extra `train`; the work is done by `experiments.training.onnx_export`.
"""

from pathlib import Path

from agents.run_files import POLICY_FILE
from envs.errors import ConfigurationError
from experiments.extras import require_extra
from experiments.progress import episode_progress
from experiments.provenance import collect_data
from experiments.run_folder import check_data


def export_run(run_folder: str | Path, out: str | Path | None = None) -> tuple[Path, str]:
    """Export the best policy of a run, by default into the run's folder.

    Returns:
        The file, and a sentence about the parity check.
    """
    run_folder = Path(run_folder)
    if not run_folder.is_dir():
        raise ConfigurationError(f"{run_folder}: no such folder; a run lies in runs/<experiment>/<run>")
    with require_extra("train", "blended export"):
        from agents.learning.learned_policy import load_run
        from experiments.training.onnx_export import export_policy
    module, scenario, metadata = load_run(run_folder)
    check_data(f"export {run_folder}", run_folder, collect_data([scenario]))
    file = Path(out) if out is not None else run_folder / POLICY_FILE
    with episode_progress() as progress:
        progress.add_task("exporting, and comparing with torch", total=None)
        parity = export_policy(module, scenario, file, metadata)
    return file, (
        f"same action as torch in {parity.states} visited states"
        f"{f', {parity.ties} of them ties' if parity.ties else ''}; "
        f"largest difference of a logit {parity.largest_logit_difference:.1e}"
        f"{'' if parity.is_in_loop else '; played by onnxruntime, since the compiled loop would have other logits'}"
    )
