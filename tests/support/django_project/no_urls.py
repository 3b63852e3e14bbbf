"""A URLconf without any URL."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
