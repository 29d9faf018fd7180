"""Addresses of the pages."""

from django.contrib.auth.views import LogoutView
from django.urls import URLPattern, URLResolver, include, path, re_path

from runs.pages import (
    compare,
    compose,
    drift_page,
    figures,
    health,
    home,
    live,
    members,
    recipes,
    run_list,
    run_page,
    sign_in,
    tokens,
)

run_pages: tuple[list[URLPattern | URLResolver], str] = (
    [
        path("new/", compose.compose, name="new"),
        path(
            "runs/",
            include(
                [
                    path("", run_list.run_list, name="list"),
                    path("events/", live.list_events, name="list-events"),
                    path("compare/", compare.compare, name="compare"),
                    path("compare/curves/", compare.compare_figure, name="compare-figure"),
                    path("<int:number>/", run_page.run_page, name="detail"),
                    path("<int:number>/events/", live.run_events, name="events"),
                    path("<int:number>/stages/<slug:name>/", run_page.run_page, name="stage"),
                    path("<int:number>/stages/<slug:name>/retry/", run_page.retry_stage, name="retry-stage"),
                    path("<int:number>/stages/<slug:name>/log/", run_page.log, name="log"),
                    path("<int:number>/stages/<slug:name>/curves/<slug:curve>/", figures.curve, name="figure"),
                    path("<int:number>/drift/", drift_page.drift, name="drift"),
                    path("<int:number>/drift/figures/<slug:name>/", drift_page.figure, name="drift-figure"),
                    path("<int:number>/<slug:action>/", run_page.act, name="action"),  # last: it takes any word
                ]
            ),
        ),
    ],
    "runs",
)
recipe_pages: tuple[list[URLPattern | URLResolver], str] = (
    [
        path("", recipes.recipe_list, name="list"),
        path("<slug:name>/v<int:version>/", recipes.recipe_detail, name="detail"),
        path("<slug:name>/v<int:version>.yaml", recipes.recipe_yaml, name="yaml"),
    ],
    "recipes",
)

urlpatterns = [
    path("", home.home, name="home"),
    path("projects/<slug:slug>/", include(run_pages)),
    path("projects/<slug:slug>/recipes/", include(recipe_pages)),
    path("projects/<slug:slug>/members/", members.members, name="members"),
    path("new-project/", members.new_project, name="new-project"),
    path("sign-in/", sign_in.SignIn.as_view(), name="login"),
    path("sign-in/link/", sign_in.SignInByLink.as_view(), name="sign-in-link"),
    path("sign-out/", LogoutView.as_view(next_page="login"), name="logout"),
    path("password/", sign_in.password, name="password"),
    path("tokens/", tokens.tokens, name="tokens"),
    re_path(r"^health/?$", health.health, name="health"),
]
