/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Plugin of libdnf5: a kernel whose drivers are not there yet is kept back. `kmp update` judges, by the metadata that
 * libdnf5 has just read; its answer is applied here. What goes wrong keeps no update from being made: rpm's plugin
 * looks at each transaction once more. libdnf5 lets no plugin add a package.
 */

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <json-c/json.h>
#include <libdnf5/base/base.hpp>
#include <libdnf5/conf/config_parser.hpp>
#include <libdnf5/plugin/iplugin.hpp>
#include <libdnf5/repo/config_repo.hpp>
#include <libdnf5/repo/repo_query.hpp>
#include <libdnf5/rpm/package_query.hpp>
#include <memory>
#include <poll.h>
#include <spawn.h>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace
{

using Clock = std::chrono::steady_clock;
using Json = std::unique_ptr<json_object, decltype(&json_object_put)>;

/* No hook of later ones is used. */
constexpr libdnf5::PluginAPIVersion API{libdnf5::PLUGIN_API_VERSION.major, 0};

constexpr const char *NAME = "kmp";
constexpr const char *KMP = "/usr/bin/kmp";

/* For the answer, in seconds, unless `timeout` in the plugin's configuration says otherwise. */
constexpr int PATIENCE = 30;

/* The longest answer, in bytes. */
constexpr size_t LIMIT = 16 << 20;

/* A program that is running, and a pipe with what it prints. */
class Program
{
  public:
    explicit Program(const std::vector<std::string> &words)
    {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0)
            throw std::runtime_error(std::string("pipe: ") + strerror(errno));
        output = ends[0];
        std::vector<char *> argv;
        for (auto &word : words)
            argv.push_back(const_cast<char *>(word.c_str()));
        argv.push_back(nullptr);
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        int failed = posix_spawn(&process, argv[0], &actions, nullptr, argv.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        close(ends[1]);
        if (failed != 0) {
            close(output);
            throw std::runtime_error(words[0] + ": " + strerror(failed));
        }
    }

    Program(const Program &) = delete;
    Program &operator=(const Program &) = delete;

    ~Program()
    {
        close(output);
        /* It has ended, or nobody waits for it any more. */
        kill(process, SIGKILL);
        while (waitpid(process, nullptr, 0) < 0 && errno == EINTR)
            ;
    }

    /* All that it prints until it ends. */
    std::string read_all(int patience)
    {
        std::string all;
        const auto end = Clock::now() + std::chrono::seconds(patience);
        char buffer[64 << 10];
        for (;;) {
            auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
            pollfd wait{output, POLLIN, 0};
            int ready = left > 0 ? poll(&wait, 1, static_cast<int>(left)) : 0;
            if (ready < 0 && errno == EINTR)
                continue;
            if (ready <= 0)
                throw std::runtime_error("it took too long");
            ssize_t len = read(output, buffer, sizeof(buffer));
            if (len < 0 && errno == EINTR)
                continue;
            if (len < 0)
                throw std::runtime_error(std::string("read: ") + strerror(errno));
            if (len == 0)
                return all;
            all.append(buffer, static_cast<size_t>(len));
            if (all.size() > LIMIT)
                throw std::runtime_error("it is too long");
        }
    }

  private:
    pid_t process = -1;
    int output = -1;
};

/* A member of an object, which has to be there. */
json_object *member(json_object *object, const char *name, json_type type)
{
    json_object *value = nullptr;
    if (!json_object_object_get_ex(object, name, &value) || !json_object_is_type(value, type))
        throw std::runtime_error(std::string("it has no \"") + name + "\"");
    return value;
}

std::string text(json_object *object, const char *name)
{
    return json_object_get_string(member(object, name, json_type_string));
}

std::vector<std::string> texts(json_object *object, const char *name)
{
    auto array = member(object, name, json_type_array);
    std::vector<std::string> all;
    for (size_t i = 0; i < json_object_array_length(array); i++)
        if (auto line = json_object_get_string(json_object_array_get_idx(array, i)))
            all.emplace_back(line);
    return all;
}

class Kmp : public libdnf5::plugin::IPlugin
{
  public:
    explicit Kmp(libdnf5::plugin::IPluginData &data, int patience) : IPlugin(data), patience(patience)
    {
    }

    libdnf5::PluginAPIVersion get_api_version() const noexcept override
    {
        return API;
    }

    const char *get_name() const noexcept override
    {
        return NAME;
    }

    libdnf5::plugin::Version get_version() const noexcept override
    {
        return {1, 0, 0};
    }

    const char *const *get_attributes() const noexcept override
    {
        static const char *const none[] = {nullptr};
        return none;
    }

    const char *get_attribute(const char *) const noexcept override
    {
        return nullptr;
    }

    /* All metadata is there, and nothing is resolved yet. */
    void repos_loaded() override
    {
        try {
            auto words = question();
            if (!words.empty())
                apply(Program(words).read_all(patience));
        } catch (const std::exception &error) {
            say(std::string("no kernel is held back, as `kmp update` gave no answer: ") + error.what(), true);
        }
    }

  private:
    const int patience;

    /* The command line; empty if there is no repository to look at, as for `dnf5 remove`. */
    std::vector<std::string> question()
    {
        auto &base = get_base();
        std::vector<std::string> words;
        bool is_a_part = false;
        libdnf5::repo::RepoQuery repositories(base);
        repositories.filter_type(libdnf5::repo::Repo::Type::AVAILABLE);
        for (const auto &repository : repositories) {
            /* Enabled or disabled for this once. */
            auto set = repository->get_config().get_enabled_option().get_priority();
            is_a_part = is_a_part || set > libdnf5::Option::Priority::REPOCONFIG;
            if (!repository->is_enabled() || repository->get_metadata_path("primary").empty())
                continue;
            words.insert(words.end(), {"--repo", repository->get_id() + "=" + repository->get_cachedir()});
        }
        if (words.empty())
            return words;
        /* Of a part of the repositories nothing is to be remembered. */
        auto root = base.get_config().get_installroot_option().get_value();
        auto keep = is_a_part ? "--dry-run" : "--keep";
        words.insert(words.begin(), {KMP, "--root", root, "update", "--json", "--offline", keep});
        return words;
    }

    void apply(const std::string &answer)
    {
        Json document(json_tokener_parse(answer.c_str()), json_object_put);
        if (!json_object_is_type(document.get(), json_type_object))
            throw std::runtime_error("what it prints is no JSON");
        if (json_object_get_int(member(document.get(), "version", json_type_int)) != 1)
            throw std::runtime_error("its form is another one");
        auto kernels = member(document.get(), "kernels", json_type_array);
        std::vector<std::string> lines;
        for (size_t i = 0; i < json_object_array_length(kernels); i++) {
            auto kernel = json_object_array_get_idx(kernels, i);
            if (text(kernel, "verdict") == "held")
                lines.push_back(text(kernel, "package") + " is held back: " + text(kernel, "reason"));
        }
        auto problems = texts(document.get(), "problems");
        hold(texts(document.get(), "exclude"));
        for (const auto &line : lines)
            say(line, false);
        for (const auto &problem : problems)
            say(problem, true);
    }

    void hold(const std::vector<std::string> &names)
    {
        if (names.empty())
            return;
        libdnf5::rpm::PackageQuery packages(get_base());
        packages.filter_available();
        packages.filter_nevra(names);
        get_base().get_rpm_package_sack()->add_user_excludes(packages);
    }

    /* To the log, and to whoever has called dnf5; other programs of libdnf5's have a screen of their own. */
    void say(const std::string &line, bool is_warning)
    {
        auto logger = get_base().get_logger();
        if (is_warning)
            logger->warning("kmp: {}", line);
        else
            logger->info("kmp: {}", line);
        if (std::string(program_invocation_short_name) == "dnf5")
            fprintf(stderr, "kmp: %s\n", line.c_str());
    }
};

std::exception_ptr last_exception;

} // namespace

libdnf5::PluginAPIVersion libdnf_plugin_get_api_version(void)
{
    return API;
}

const char *libdnf_plugin_get_name(void)
{
    return NAME;
}

libdnf5::plugin::Version libdnf_plugin_get_version(void)
{
    return {1, 0, 0};
}

libdnf5::plugin::IPlugin *libdnf_plugin_new_instance([[maybe_unused]] libdnf5::LibraryVersion library,
                                                     libdnf5::plugin::IPluginData &data, libdnf5::ConfigParser &parser)
try {
    int patience = parser.has_option("main", "timeout") ? std::stoi(parser.get_value("main", "timeout")) : PATIENCE;
    return new Kmp(data, patience);
} catch (...) {
    last_exception = std::current_exception();
    return nullptr;
}

void libdnf_plugin_delete_instance(libdnf5::plugin::IPlugin *plugin)
{
    delete plugin;
}

std::exception_ptr *libdnf_plugin_get_last_exception(void)
{
    return &last_exception;
}
