"""Settings: ``local`` for `make up` and development, ``production`` for servers, ``testing`` for the tests."""
