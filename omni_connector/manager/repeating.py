"""Whether a call that has failed is sent again, and when."""

from omni_connector.exceptions import ManagerUnreachableError, SdkClientError, ServiceOverloadedError
from omni_connector.manager.calls import NoSuccessError
from omni_connector.manager.refusals import LASTING
from omni_connector.manager.retry import RETRIED_STATUSES, UNHANDLED_STATUSES, RetryPolicy


def delay_after(error: SdkClientError, attempt: int, policy: RetryPolicy) -> float | None:
    """Return the seconds until the next attempt, or None where none makes sense."""
    if isinstance(error, LASTING):
        return None
    if isinstance(error, ServiceOverloadedError):
        return policy.delay_seconds(attempt, error.retry_after)
    if isinstance(error, NoSuccessError):
        return None if policy.unless_sent else policy.delay_seconds(attempt, None)
    repeated = UNHANDLED_STATUSES if policy.unless_sent else RETRIED_STATUSES
    if isinstance(error, ManagerUnreachableError) or error.status in repeated:
        return policy.delay_seconds(attempt, None)
    return None


def with_attempts(error: SdkClientError, attempts: int, seconds: float) -> SdkClientError:
    """Say how often it was tried."""
    error.attempts = attempts
    if attempts > 1:
        error.args = (f"{error} (tried {attempts} times in {seconds:.1f} s)",)
    return error
