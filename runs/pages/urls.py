"""Addresses of the pages."""

from django.urls import include, path, re_path

from runs.pages import drift_page, figures, health, home, live, run_list, run_page

run_pages = (
    [
        path("", run_list.run_list, name="list"),
        path("events/", live.list_events, name="list-events"),
        path("<int:number>/", run_page.run_page, name="detail"),
        path("<int:number>/events/", live.run_events, name="events"),
        path("<int:number>/stages/<slug:name>/", run_page.run_page, name="stage"),
        path("<int:number>/stages/<slug:name>/retry/", run_page.retry_stage, name="retry-stage"),
        path("<int:number>/stages/<slug:name>/log/", run_page.log, name="log"),
        path("<int:number>/stages/<slug:name>/curves/<slug:curve>/", figures.curve, name="figure"),
        path("<int:number>/drift/", drift_page.drift, name="drift"),
        path("<int:number>/drift/figures/<slug:name>/", drift_page.figure, name="drift-figure"),
        path("<int:number>/<slug:action>/", run_page.act, name="action"),  # last: it takes any word
    ],
    "runs",
)
recipe_pages = ([], "recipes")

urlpatterns = [
    path("", home.home, name="home"),
    path("projects/<slug:slug>/runs/", include(run_pages)),
    re_path(r"^health/?$", health.health, name="health"),
]
