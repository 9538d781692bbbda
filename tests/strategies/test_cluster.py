"""The same numbers on a Dask cluster of two processes as on this one."""

import joblib
import pytest

from feeds.errors import SettingsError
from ml.parallel import on_cluster, one_at_a_time
from strategies.backtest import BacktestRequest, run_backtest
from strategies.progress import QuietProgress
from strategies.search.run import SearchRequest, run_search
from strategies.settings import load_settings

MODEL = [
    "data.synthetic.sessions=60", "data.synthetic.edge=momentum", "data.synthetic.edge_bps=40",
    "ml.split.train_months=1", "ml.split.test_months=1", "ml.model.rounds=12", "ml.model.leaf_rows=50",
    "ml.model.learning_rate=0.2", "report.tearsheet=false",
    "ml.search.space={ml.model.depth: {low: 2, high: 4}, strategy.stop_atr: {low: 1.0, high: 3.0}}",
    "ml.search.minimum_trades=10",
]  # fmt: skip


@pytest.fixture
def cluster_address():
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", scheduler_port=0,
        dashboard_address=None, silence_logs=50,
    ) as cluster:  # fmt: skip
        yield cluster.scheduler_address


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Dask itself
def test_a_cluster_gives_the_fingerprint_of_the_sequential_run(cluster_address, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MUHURAT_STUDY_STORAGE", raising=False)
    settings = load_settings(None, MODEL)

    def backtest(name):
        request = BacktestRequest(settings=settings, out_dir=tmp_path / name)
        return run_backtest(request, QuietProgress()).result

    def search(name):
        request = SearchRequest(settings=settings, trials=3, workers=1, study=name)
        page = run_search(request, QuietProgress()).page
        return [row[1:] for row in page.trials], page.holdout

    with one_at_a_time():
        alone, searched = backtest("alone"), search("alone")
    with on_cluster(cluster_address):
        assert joblib.parallel.get_active_backend()[0].__class__.__name__ == "DaskDistributedBackend"
        on_workers = backtest("cluster")
        assert len(on_workers.trades) > 5
        assert on_workers.fingerprint == alone.fingerprint
        assert list(map(_plain, on_workers.windows)) == list(map(_plain, alone.windows))
        assert search("cluster") == searched
    assert joblib.parallel.get_active_backend()[0].__class__.__name__ != "DaskDistributedBackend"


def _plain(window):
    return {key: value for key, value in window.items() if key != "calibration"}


def test_without_an_address_nothing_changes():
    before = joblib.parallel.get_active_backend()[0].__class__
    with on_cluster(None):
        assert joblib.parallel.get_active_backend()[0].__class__ is before


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x"])
def test_a_scheduler_that_is_not_there_is_told_in_one_line(address, monkeypatch):
    monkeypatch.setattr("ml.parallel._CONNECT_SECONDS", 1)
    with pytest.raises(SettingsError, match="found no Dask scheduler"), on_cluster(address):
        pass
