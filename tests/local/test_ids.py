import re
import threading

from omni_connector.local.ids import UlidFactory


def test_ulids_have_the_documented_form():
    assert re.fullmatch("[0-9A-HJKMNP-TV-Z]{26}", UlidFactory()())


def test_ulids_grow_within_one_factory_across_threads():
    factory = UlidFactory()
    made = []

    def make():
        own = [factory() for _ in range(500)]
        assert own == sorted(own)
        made.extend(own)

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 2000
