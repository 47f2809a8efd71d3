"""How a function is compiled that only compiled code calls: once, into the code of its callers.

Room: `envs.simulator.machine`. Touches numba's compiler and nothing else.

numba takes every function for one that Python may call. It optimizes each with all that it calls, makes machine code of
that and wraps it for Python and C, so that a function at the bottom of ten others is optimized and assembled ten times
over: two thirds of all compiling. What only compiled code calls needs its typed code alone; the function on top, which
Python calls, is then optimized and assembled once with all of it.

That function holds the arrays for as long as it runs. What it calls borrows them, and counts no references
(`numba.njit(_nrt=False)`): counting took more than half of the time of a running center. Hence nothing that is called
may return an array, which its caller might take for its own.
"""

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import LoweringPass, PassManager, register_pass
from numba.core.typed_passes import NativeLowering


class _UnoptimizedLibrary(JITCodeLibrary):
    """The code of one function with the libraries that it calls, to be linked into another library: neither optimized
    as a whole nor machine code."""

    def finalize(self) -> None:
        """Link what the function calls; nothing may be added afterwards."""
        for library in dict.fromkeys(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalized = True


@register_pass(mutates_CFG=False, analysis_only=True)
class _OfferToCallers(LoweringPass):
    """Tell numba's target under which key other functions find this one, as it does itself where it makes machine
    code; refuse one that returns an array."""

    _name = "offer_to_callers"

    def __init__(self) -> None:
        super().__init__()

    def run_pass(self, state: Any) -> bool:
        """Register the function under an object of its own; return False, since its code does not change. Raises
        `TypeError` if the function returns an array."""
        if state.targetctx.data_model_manager[state.return_type].contains_nrt_meminfo():
            raise TypeError(f"{state.func_id.func_qualname} returns {state.return_type}: must not return an array")
        # numba's dispatcher wants a built-in function here, and nobody calls it.
        key = object().__reduce__
        state.targetctx.insert_user_function(key, state.cr.fndesc, [state.library])
        state.reload_init.extend(state.library._reload_init)
        state["cr"] = state.cr._replace(cfunc=key)
        return False


_BORROWING: dict[Any, Any] = {}
"""numba's helpers as compiled for functions that count no references. numba keeps one form of each for all, and one
that was compiled to count them would leak in a caller that does not."""


class InnerCompiler(Compiler):
    """numba's compiler without what only functions need that Python calls: for `numba.njit(pipeline_class=…)` with
    neither wrapper. What it compiles must be called from compiled code alone."""

    def define_pipelines(self) -> list[PassManager]:
        """Return numba's own passes, with another library and without machine code."""
        self.state.library = _UnoptimizedLibrary(self.state.targetctx.codegen(), self.state.func_id.func_qualname)
        self.state.flags.no_compile = True
        if not self.state.flags.nrt:
            self.state.targetctx.cached_internal_func = _BORROWING  # of the context of this one function
        [passes] = super().define_pipelines()
        passes.add_pass_after(_OfferToCallers, NativeLowering)
        passes.finalize()
        return [passes]
