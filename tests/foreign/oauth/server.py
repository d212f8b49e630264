"""An authorization server and a resource that checks its tokens: Django OAuth Toolkit, all but as it comes.

``python server.py PORT DATABASE`` serves on the loopback. Tokens come from ``/o/token/``. ``/dossiers`` wants one with
the scope ``read`` and says what is wrong with another as RFC 6750 has it: 401 for one that is not good, 403 for one
with too little scope. The tests look in and disturb with ``/tokens`` (how many were given out) and ``/tokens/end``
(every one of them has expired).
"""

import sys
from datetime import timedelta

import django
import uvicorn
from django.conf import settings

PORT, DATABASE = int(sys.argv[1]), sys.argv[2]

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": DATABASE}},
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "oauth2_provider"],
    MIDDLEWARE=[],
    MIGRATION_MODULES=dict.fromkeys(("auth", "contenttypes", "oauth2_provider")),  # tables at once, without a history
    OAUTH2_PROVIDER={"SCOPES": {"read": "Đọc hồ sơ", "write": "Ghi hồ sơ"}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # quick: nothing here is worth guarding
    ROOT_URLCONF=__name__,
    SECRET_KEY="chi-de-thu",
    USE_TZ=True,
)
django.setup()

# Django's models can be imported once it is set up, and not before.
from django.contrib.auth.models import User  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.core.paginator import Paginator  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import include, path  # noqa: E402
from django.utils import timezone  # noqa: E402
from oauth2_provider.models import AccessToken, Application  # noqa: E402
from oauth2_provider.views.generic import ReadWriteScopedProtectedResourceMetadataView  # noqa: E402

COUNT = 25
SECRET = "bí mật + 100%: mẫu"


class Dossiers(ReadWriteScopedProtectedResourceMetadataView):
    """A list in pages, each naming the next."""

    def get(self, request: HttpRequest) -> JsonResponse:
        """One page; the toolkit has looked at the token before."""
        size, number = int(request.GET["limit"]), int(request.GET.get("page", "1"))
        page = Paginator([dossier(one) for one in range(1, COUNT + 1)], size).page(number)
        following = f"/dossiers?limit={size}&page={number + 1}" if page.has_next() else None
        return JsonResponse({"items": list(page), "next": following})


def dossier(number: int) -> dict[str, object]:
    """A dossier as the electricity company tells it."""
    changed = f"2026-01-05T{number % 24:02d}:30:00Z"
    return {
        "requestId": f"PC-{number:07d}",
        "dossierCode": f"H12.31-260105-{number:04d}",
        "serviceCode": "1.992001",
        "serviceName": "Cấp điện mới từ lưới điện hạ áp",
        "branch": {"id": "PC-THU-NGHIEM", "name": "Công ty Điện lực tỉnh Thử Nghiệm"},
        "channel": "WEB",
        "customer": {"fullName": "Nguyễn Văn Mẫu", "idNumber": "000099000001"},
        "status": "IN_PROGRESS",
        "createdAt": "2026-01-04T01:00:00Z",
        "acceptedAt": "2026-01-04T01:30:00Z",
        "updatedAt": changed,
        "history": [{"at": changed, "status": "IN_PROGRESS", "note": None}],
    }


def tokens(_request: HttpRequest) -> JsonResponse:
    """How many tokens were given out."""
    return JsonResponse({"count": AccessToken.objects.count()})


def end_tokens(_request: HttpRequest) -> JsonResponse:
    """From now on no token given out so far is good."""
    AccessToken.objects.update(expires=timezone.now() - timedelta(seconds=1))
    return tokens(_request)


urlpatterns = [
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("dossiers", Dossiers.as_view()),
    path("tokens", tokens),
    path("tokens/end", end_tokens),
]

if __name__ == "__main__":
    call_command("migrate", run_syncdb=True, verbosity=0)
    for client_id, grant in (
        ("he-thong-mau", Application.GRANT_CLIENT_CREDENTIALS),
        ("ung-dung-mau", Application.GRANT_PASSWORD),
    ):
        Application.objects.create(
            client_id=client_id,
            client_secret=SECRET,
            client_type=Application.CLIENT_CONFIDENTIAL,
            authorization_grant_type=grant,
        )
    User.objects.create_user("can-bo-mau", password=SECRET)
    uvicorn.run(get_asgi_application(), port=PORT, log_level="warning")
