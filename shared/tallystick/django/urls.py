"""For the root URLconf: path("", include("tallystick.django.urls")).

The path of the document contains the path of the audience (RFC 9728 §3.1), which the view compares.
"""

from django.urls import re_path

from tallystick.django.views import protected_resource_metadata

urlpatterns = [re_path(r"^\.well-known/oauth-protected-resource(?:/.*)?\Z", protected_resource_metadata)]
